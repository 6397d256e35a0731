"""Tiny text encoders with random weights, and what transformers and diffusers make of prompts with them in float32 on a CPU.

python tools/reference/text.py --tokenizer models/starter/model/tokenizer --out inference/tests/data/text

Encoders: `first` (quick_gelu, Stable Diffusion 1 and XL's first) and `second` (gelu, projection, XL's second; its tokenizer pads with "!"). Where neither library
has a rule (long prompts, weights), the rule is applied by hand in torch to what transformers answers."""
import argparse, json, os, shutil, tempfile
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

ap = argparse.ArgumentParser(); ap.add_argument("--tokenizer", required=True); ap.add_argument("--out", required=True); a = ap.parse_args()
torch.manual_seed(11); torch.set_num_threads(1); torch.set_grad_enabled(False)
MERGES = 60
os.makedirs(a.out, exist_ok=True)
compact = lambda value, path: json.dump(value, open(path, "w"), ensure_ascii=False, separators=(",", ":"))

# The starter tokenizer with fewer merges: as old files (vocab.json and merges.txt) and, padding with "!", as the only file of new ones (tokenizer.json).
vocab = json.load(open(f"{a.tokenizer}/vocab.json")); merges = open(f"{a.tokenizer}/merges.txt").read().splitlines()[: 1 + MERGES]
words = sorted(vocab, key=vocab.get)[: 512 + MERGES] + ["<|startoftext|>", "<|endoftext|>"]
N = len(words); BOS, EOS = N - 2, N - 1
folder = f"{a.out}/tokenizer"; os.makedirs(folder, exist_ok=True)
compact({word: i for i, word in enumerate(words)}, f"{folder}/vocab.json"); open(f"{folder}/merges.txt", "w").write("\n".join(merges) + "\n")
specials = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
compact(specials, f"{folder}/special_tokens_map.json"); compact({"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", **specials}, f"{folder}/tokenizer_config.json")
with tempfile.TemporaryDirectory() as scratch:
    CLIPTokenizer.from_pretrained(folder, pad_token="!").save_pretrained(scratch)
    os.makedirs(f"{a.out}/tokenizer_2", exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"): compact(json.load(open(f"{scratch}/{name}")), f"{a.out}/tokenizer_2/{name}")
load = lambda: (CLIPTokenizer.from_pretrained(f"{a.out}/tokenizer"), CLIPTokenizer.from_pretrained(f"{a.out}/tokenizer_2"))
tokenizer, tokenizer_2 = load()

rounded = lambda net: net.half().float().eval()  # the files hold float16
common = dict(vocab_size=N, max_position_embeddings=77, bos_token_id=BOS)
def net(cls, **kw):
    made = cls(CLIPTextConfig(**common, **kw))
    for p in made.parameters(): p.data += 0.2 * torch.randn_like(p)  # the libraries' own start leaves the layers nearly without effect
    return rounded(made)
first = net(CLIPTextModel, hidden_size=16, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2, hidden_act="quick_gelu", eos_token_id=EOS, pad_token_id=EOS)
second = net(CLIPTextModelWithProjection, hidden_size=20, intermediate_size=32, num_hidden_layers=3, num_attention_heads=5, hidden_act="gelu", projection_dim=12, eos_token_id=2, pad_token_id=0)
for name, encoder in {"text_encoder": first, "text_encoder_2": second}.items():
    encoder.half().save_pretrained(f"{a.out}/{name}"); encoder.float()
object.__setattr__(first, "text_model", first)  # where diffusers 0.42 looks for the final normalisation, transformers 5 no longer has it

SD = lambda: StableDiffusionPipeline(vae=None, text_encoder=first, tokenizer=tokenizer, unet=None, scheduler=None, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
XL = lambda: StableDiffusionXLPipeline(vae=None, text_encoder=first, text_encoder_2=second, tokenizer=tokenizer, tokenizer_2=tokenizer_2, unet=None, scheduler=None)
REFINER = lambda: StableDiffusionXLPipeline(vae=None, text_encoder=None, text_encoder_2=second, tokenizer=None, tokenizer_2=tokenizer_2, unet=None, scheduler=None)
out, cases = {}, []
def case(model, prompt, context, pooled=None, skip=0):
    i = len(cases); cases.append({"model": model, "prompt": prompt, "clip_skip": skip}); out[f"{i}.context"] = context
    if pooled is not None: out[f"{i}.pooled"] = pooled

prompts = ["a red fox, in the snow!! it's 3 o'clock", "Café 中文 🦊 <|endoftext|> after", ""]
for prompt in prompts:
    for skip in (None, 1, 2) if prompt == prompts[0] else (None,):
        positive, negative = SD().encode_prompt(prompt, "cpu", 1, True, negative_prompt="blurry", clip_skip=skip)
        assert torch.equal(negative, SD().encode_prompt("blurry", "cpu", 1, False)[0]), "the negative prompt knows no clip skip"
        case("sd", prompt, positive, skip=skip or 0)
        positive, negative, pooled, negative_pooled = XL().encode_prompt(prompt, device="cpu", do_classifier_free_guidance=True, negative_prompt="blurry", clip_skip=skip)
        assert torch.equal(negative, XL().encode_prompt("blurry", device="cpu", do_classifier_free_guidance=False)[0])
        case("xl", prompt, positive, pooled, skip or 0)
context, _, pooled, _ = REFINER().encode_prompt(prompts[0], device="cpu", do_classifier_free_guidance=False)
case("refiner", prompts[0], context, pooled)
# Skips to the embeddings themselves.
case("sd", prompts[0], SD().encode_prompt(prompts[0], "cpu", 1, False, clip_skip=3)[0], skip=3)

# The pooled token by configuration: 2 is the largest id, others the first with the id, an absent one the start.
pooled_tokens = {}
for name, eos in {"end": EOS, "absent": 60000, "word": tokenizer("a").input_ids[1]}.items():
    second.text_model.eos_token_id = eos
    out[f"pooled.{name}"] = second(torch.tensor([tokenizer_2(prompts[0], padding="max_length", max_length=77).input_ids])).text_embeds
    pooled_tokens[name] = eos
second.text_model.eos_token_id = 2

# Chunks and weights by hand. A prompt is chunks of (words, weight); each embeds `[start] tokens [end] padding` alone; tokens times weights, each encoder's mean restored.
def frame(tok, tokens): return [BOS] + tokens + [EOS] + [tok.pad_token_id] * (75 - len(tokens))
def by_hand(tok, encoder, chunks, normed):
    contexts = []
    for pieces in chunks:
        ids = [[i for i in tok(text, add_special_tokens=False).input_ids] for text, _ in pieces]
        weights = [1.0] + [w for part, (_, w) in zip(ids, pieces) for _ in part]
        answer = encoder(torch.tensor([frame(tok, sum(ids, []))]), output_hidden_states=True)
        z = answer.last_hidden_state if normed else answer.hidden_states[-2]
        if any(w != 1.0 for w in weights):
            before = z.mean(); z = z * torch.tensor(weights + [1.0] * (77 - len(weights))).reshape(1, 77, 1); z = z * (before / z.mean())
        contexts.append(z)
        if len(contexts) == 1: pooled = getattr(answer, "text_embeds", None)
    return torch.cat(contexts, 1), pooled
def both(prompt, chunks):
    case("sd", prompt, by_hand(tokenizer, first, chunks, True)[0])
    (l, _), (g, pooled) = by_hand(tokenizer, first, chunks, False), by_hand(tokenizer_2, second, chunks, False)
    case("xl", prompt, torch.cat([l, g], -1), pooled)
both("a (red:1.4) fox in [the] ((snow)) (x:0.5)", [[("a ", 1.0), ("red", 1.4), (" fox in ", 1.0), ("the", 1 / 1.1), (" ", 1.0), ("snow", 1.1 * 1.1), (" ", 1.0), ("x", 0.5)]])
both("a fox BREAK in (the snow:1.3)", [[("a fox", 1.0)], [("in ", 1.0), ("the snow", 1.3)]])
long = [f"{w} " for w in "a cat on the red mat and a dog in my old house with five green birds that sing".split()] * 4
flat = [i for word in long for i in tokenizer(word, add_special_tokens=False).input_ids]
assert 150 < len(flat) < 225, len(flat)
parts = [flat[i : i + 75] for i in range(0, len(flat), 75)]
hidden = [first(torch.tensor([frame(tokenizer, part)])).last_hidden_state for part in parts]
case("sd", "".join(long), torch.cat(hidden, 1))

# Learned words as diffusers loads them: of three vectors, of one, and for two encoders.
three, one, g = torch.randn(3, 16).half(), torch.randn(16).half(), torch.randn(3, 20).half()
words = f"{a.out}/embeddings"; os.makedirs(words, exist_ok=True)
save_file({"emb_params": three}, f"{words}/toy.safetensors"); save_file({"<hero>": one}, f"{words}/learned_embeds.safetensors")
save_file({"clip_l": three, "clip_g": g}, f"{words}/toy-xl.safetensors")
sd = SD(); sd.load_textual_inversion({"toy": three.float()}); sd.load_textual_inversion({"<hero>": one.float()})
prompt = "a Toy, near <hero> and <hero>!"
case("sd+words", prompt, sd.encode_prompt(prompt, "cpu", 1, False)[0])
tokenizer, tokenizer_2 = load(); first.resize_token_embeddings(N)
xl = XL(); second.text_model.eos_token_id = EOS  # with 2 diffusers takes a learned word for the end, because its id is larger
xl.load_textual_inversion({"toy-xl": three.float()}, tokenizer=tokenizer, text_encoder=first); xl.load_textual_inversion({"toy-xl": g.float()}, tokenizer=tokenizer_2, text_encoder=second)
prompt = "my toy-xl on grass"
context, _, pooled, _ = xl.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False)
case("xl+words", prompt, context, pooled)

# What transformers' tokenizer makes of plain words, with the starter tokenizer and with one that pads with "!".
texts = ["", " ", "a cat", "  two\tspaces \n here  ", "A CAT sat", "don't can't we've I'm she'll he'd you're it's", "O'Reilly's 'quoted' ''", "3 dogs 42 1234567 3.14 1,000", "hello, world! how are you?",
    "semi;colon: dash-ed em—dash … ellipsis...", "!!! ?!?! ---- ____ ====", "a!b !c d! !", "snake_case CamelCase kebab-case", "email@example.com #tag @user $5 50% a&b x*y ~ ^ | / + =", "\"double\" «guillemets» “curly” ‘single’",
    "café CAFÉ cafe\u0301", "naïve façade Ñandú Öl ßtraße ŒUVRE", "İstanbul ıstanbul", "中文 汉字漢字", "日本語のテキスト カタカナ", "한국어 텍스트", "العربية نص", "עברית", "हिन्दी देवनागरी", "ไทย", "Ελληνικά ΣΊΣΥΦΟΣ", "Русский текст",
    "🦊", "🦊🦊 fox 🦊", "👩‍👩‍👧‍👦 family", "👍🏽 ok 🇩🇪", "a🦊b", "½ ² ³ ① Ⅷ", "𝓕𝓪𝓷𝓬𝔂 𝕥𝕖𝕩𝕥", "zero\u200bwidth\ufeffmarks", "non\u00a0breaking\u3000wide", "tab\tand\rreturn", "\x00 nul \x01 control", "combining a\u0308o\u0308u\u0308 \u0301",
    "<|startoftext|> in words", "in <|endoftext|> words", "<|EndOfText|>", "< | end > {braces}", "a/b\\c", "http://example.com/a?b=c", "supercalifragilisticexpialidocious", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ﬁ ﬂ ligatures ﬀ",
    "￼ \ufffd \ue000", "𐍈 𒀀 gothic", "x̄ ȳ z̃", "ǅ ǆ Ǆ", "'s 't 're", "S'mores 'S 'LL", "dog's dogs' dog’s"]
starter, bang = CLIPTokenizer.from_pretrained(a.tokenizer), CLIPTokenizer.from_pretrained(a.tokenizer, pad_token="!")
compact([{"text": t, "ids": starter(t, add_special_tokens=False).input_ids, "ids_pad_exclamation": bang(t, add_special_tokens=False).input_ids} for t in texts], f"{a.out}/words.json")
compact({"cases": cases, "pooled": pooled_tokens, "pooled_prompt": prompts[0]}, f"{a.out}/reference.json")
save_file({k: v.float().contiguous() for k, v in out.items()}, f"{a.out}/reference.safetensors")
