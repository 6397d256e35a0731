"""A tiny Z-Image with random weights, and what diffusers and transformers compute with it in float32 on a CPU. See README.md.

OMP_NUM_THREADS=1 python tools/reference/z_image.py --work /tmp/z_image
"""
import argparse
import json
import math
import shutil
from pathlib import Path

import diffusers
import numpy as np
import tokenizers
import torch
import transformers
from diffusers.loaders.single_file_utils import convert_z_image_transformer_checkpoint_to_diffusers
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers

import family_models
from families import mask, pack, psnr, scene

FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "use_dynamic_shifting": False, "shift": 3.0}
DYNAMIC = FLOW | dict(use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096)
MODELS = {"turbo": FLOW, "dynamic": DYNAMIC}
# The axes share out a head's width as those of the published model do, so that one file's shapes tell them.
TRANSFORMER = dict(dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=32, axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64])
VAE = dict(block_out_channels=(8, 8, 16, 16), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
           layers_per_block=1, latent_channels=16, sample_size=64, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False)
# A head is wider than hidden_size / num_attention_heads, as in the published 4B encoder.
TEXT = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=16, max_position_embeddings=1024,
            rope_theta=1e6, tie_word_embeddings=True)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# What the published template does with one user's message; without thinking it writes an empty thought.
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and enable_thinking is false %}"
            "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}")
LONG = "an old lighthouse on a rock, waves, gulls and 12 small boats; " * 30
PROMPTS = {
    "short": "fox",
    "plain": "a red fox in the snow",
    "empty": "",
    "letters": "Cafe\u0301, 雪の中の狐! 2026 кот\n\n  it's",
    "closing": "a fox<|im_end|>\n<|im_start|>assistant\nno",
    "longer": "a lighthouse by the sea, waves and gulls, in the evening light; " * 3,
    "long": LONG,
}


def tokenizer(folder):
    """Qwen's kind of tokenizer with a few hundred tokens: bytes, pairs learned from some sentences, special tokens."""
    made = tokenizers.Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(tokenizers.Regex(WORDS), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder, made.post_processor = decoders.ByteLevel(), processors.ByteLevel(trim_offsets=False)
    made.train_from_iterator([text for text in PROMPTS.values()] * 4, trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"), pretty=False)
    settings = dict(tokenizer_class="Qwen2Tokenizer", model_max_length=131072, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token=None, bos_token=None,
                    add_prefix_space=False, add_bos_token=False, clean_up_tokenization_spaces=False, split_special_tokens=False, errors="replace", chat_template=TEMPLATE)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")


def rule(name, shape):
    last = name.rsplit(".", 1)[-1]
    if name.endswith("pad_token") or "embed_tokens" in name:
        return 0.0, 1.0
    if "norm_q" in name or "norm_k" in name or "q_norm" in name or "k_norm" in name:
        return 1.5, 0.3
    if len(shape) == 1:
        return (1.0, 0.2) if last == "weight" else (0.0, 0.1)
    return 0.0, float(f"{(3 / math.prod(shape[1:])) ** 0.5:.4g}")


def network(part, n_tokens):
    if part == "transformer":
        return diffusers.ZImageTransformer2DModel(**TRANSFORMER)
    if part == "vae":
        return diffusers.AutoencoderKL(**VAE)
    return transformers.Qwen3Model(transformers.Qwen3Config(**TEXT, vocab_size=n_tokens, eos_token_id=n_tokens - 1, pad_token_id=n_tokens - 3))


@torch.no_grad()
def build(data, work):
    """The whole folders below `work`, what makes them below `data`."""
    tokenizer(data / "tokenizer")
    n_tokens = tokenizers.Tokenizer.from_file(str(data / "tokenizer/tokenizer.json")).get_vocab_size()
    small, whole = data / "turbo", work / "models/turbo"
    recipes, fitted, index = {}, {}, {"_class_name": "ZImagePipeline", "_diffusers_version": diffusers.__version__}
    for number, part in enumerate(("transformer", "vae", "text_encoder")):
        net = network(part, n_tokens).float().eval()
        shapes = {key: list(tensor.shape) for key, tensor in net.state_dict().items()}
        recipes[part] = {"seed": 200 + number, "tensors": {key: [*rule(key, shape), *shape] for key, shape in shapes.items()}}
        tensors = family_models.tensors(recipes[part])
        net.load_state_dict(tensors)
        if part == "vae":
            for key, tensor in fit(net).items():
                tensors[key] = tensor.half().float()
                fitted[f"vae.{key}"] = tensor.half()
                del recipes[part]["tensors"][key]
            # The hash counts the tensors that are left.
            tensors |= family_models.tensors(recipes[part])
            net.load_state_dict(tensors)
        net.save_pretrained(whole / part)
        settings = {key: value for key, value in json.loads((whole / part / "config.json").read_text()).items() if key != "_name_or_path"}
        (small / part).mkdir(parents=True, exist_ok=True)
        (small / part / "config.json").write_text(json.dumps(settings, separators=(",", ":")) + "\n")
        save_file(tensors, whole / part / family_models.part_file(part), {"format": "pt"})
        index[part] = ["transformers" if part == "text_encoder" else "diffusers", type(net).__name__]
    index |= {"tokenizer": ["transformers", "Qwen2Tokenizer"], "scheduler": ["diffusers", FLOW["_class_name"]]}
    family_models.write_recipe(small, recipes)
    save_file(fitted, small / "fitted.safetensors")
    for name, schedule in MODELS.items():
        small, whole = data / name, work / "models" / name
        if name != "turbo":
            small.mkdir(exist_ok=True)
            family_models.write_recipe(small, dict.fromkeys(recipes, "turbo"))
            shutil.copytree(work / "models/turbo", whole, dirs_exist_ok=True)
            for part in recipes:
                (small / part).mkdir(exist_ok=True)
                shutil.copy(data / "turbo" / part / "config.json", small / part / "config.json")
        shutil.copytree(data / "tokenizer", whole / "tokenizer", dirs_exist_ok=True)
        for folder in (small, whole):
            (folder / "scheduler").mkdir(exist_ok=True)
            (folder / "scheduler/scheduler_config.json").write_text(json.dumps(schedule, indent=1) + "\n")
            (folder / "model_index.json").write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")


def fit(vae):
    """Ends of the autoencoder that make scaled latents of unit size and pictures of middling contrast; the recipe's body between them."""
    # The seed's order changes with the tensors that are left out: measured is a body of the same kind.
    recipe = {"seed": 201, "tensors": {key: [*rule(key, list(tensor.shape)), *tensor.shape] for key, tensor in vae.state_dict().items()
                                       if not key.endswith(("coder.conv_out.weight", "coder.conv_out.bias"))}}
    vae.load_state_dict(vae.state_dict() | family_models.tensors(recipe))
    rng = np.random.default_rng(3)
    pixels = torch.stack([torch.from_numpy(scene(rng, 64, 64)) for _ in range(16)]).permute(0, 3, 1, 2) / 127.5 - 1
    weight, bias, n = vae.encoder.conv_out.weight, vae.encoder.conv_out.bias, VAE["latent_channels"]
    means = vae.encode(pixels).latent_dist.mean
    size = means.std((0, 2, 3)) * VAE["scaling_factor"]
    weight[:n] /= size[:, None, None, None]
    bias[:n] = (bias[:n] - means.mean((0, 2, 3))) / size + VAE["shift_factor"]
    weight[n:] *= 0.2
    bias[n:] = torch.linspace(-3, 0, n)
    fitted = {"encoder.conv_out.weight": weight.clone(), "encoder.conv_out.bias": bias.clone()}
    latents = torch.randn(16, n, 8, 8, generator=torch.Generator().manual_seed(3)) / VAE["scaling_factor"] + VAE["shift_factor"]
    decoded = vae.decode(latents).sample
    scale = 0.4 / decoded.std((0, 2, 3))
    bias = (vae.decoder.conv_out.bias - decoded.mean((0, 2, 3))) * scale
    return fitted | {"decoder.conv_out.weight": vae.decoder.conv_out.weight * scale[:, None, None, None], "decoder.conv_out.bias": bias}


def ldm_names(tensors):
    """One file's names, each with the tensors that lie stacked in it."""
    names = {}
    for key in sorted(tensors):
        if ".attention.to_q." in key:
            names[key.replace("to_q", "qkv")] = [key.replace("to_q", which) for which in ("to_q", "to_k", "to_v")]
        elif ".attention.to_k." not in key and ".attention.to_v." not in key:
            old = key.replace("attention.to_out.0.", "attention.out.").replace("norm_q.", "q_norm.").replace("norm_k.", "k_norm.")
            names[old.replace("all_x_embedder.2-1.", "x_embedder.").replace("all_final_layer.2-1.", "final_layer.")] = [key]
    return names


def single_file(data, work):
    tensors = load_file(work / "models/turbo/transformer/diffusion_pytorch_model.safetensors")
    names = ldm_names(tensors)
    for prefix in ("", "model.diffusion_model."):
        file = {prefix + name: torch.cat([tensors[part] for part in parts]) for name, parts in names.items()}
        back = convert_z_image_transformer_checkpoint_to_diffusers(file | {prefix + "norm_final.weight": torch.ones(32)})
        assert back.keys() == tensors.keys() and all(torch.equal(back[key], tensors[key]) for key in back)
    rows = ",\n".join(f"{json.dumps(name)}:{json.dumps(parts, separators=(',', ':'))}" for name, parts in names.items())
    (data / "single_file.json").write_text("{" + rows + "}\n")


@torch.no_grad()
def networks(pipe, data):
    """Text states, the transformer's outputs, and both ways through the autoencoder."""
    out, texts, states = {}, {}, {}
    for name, prompt in PROMPTS.items():
        templated = pipe.tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True, enable_thinking=True)
        texts[name] = {"prompt": prompt, "templated": templated, "ids": pipe.tokenizer(templated, truncation=True, max_length=512).input_ids}
        states[name] = pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False)[0][0]
        assert len(states[name]) == len(texts[name]["ids"])
        out[f"text.{name}"] = states[name]
    (data / "texts.json").write_text(json.dumps(texts, indent=1) + "\n")
    assert texts["long"]["ids"][-1] != texts["plain"]["ids"][-1] and len(texts["long"]["ids"]) == 512
    generator = torch.Generator().manual_seed(9)
    for name, (width, height), timestep in (("short", (2, 2), 0.0), ("plain", (12, 10), 0.25), ("longer", (16, 16), 0.9), ("long", (6, 14), 0.5), ("empty", (16, 4), 0.7), ("plain", (8, 8), 1.0)):
        latents = torch.randn(16, 1, height, width, generator=generator)
        output = pipe.transformer([latents], torch.tensor([timestep]), [states[name]]).sample[0]
        out |= {f"transformer.{name}.{width}x{height}.{timestep}.latents": latents.squeeze(1), f"transformer.{name}.{width}x{height}.{timestep}.output": output.squeeze(1)}
    # Two captions of different padded lengths, where diffusers masks what fills up the shorter one.
    latents = torch.randn(2, 16, 1, 10, 6, generator=generator)
    both = pipe.transformer(list(latents), torch.tensor([0.4, 0.4]), [states["longer"], states["plain"]]).sample
    for i, name in enumerate(("longer", "plain")):
        out |= {f"transformer.{name}.6x10.0.4.latents": latents[i].squeeze(1).contiguous(), f"transformer.{name}.6x10.0.4.output": both[i].squeeze(1)}
    pixels = torch.rand(1, 3, 48, 32, generator=generator) * 2 - 1
    moments = pipe.vae.encode(pixels).latent_dist
    scaled = torch.randn(1, 16, 4, 6, generator=generator)
    out |= {"vae.pixels": pixels, "vae.scaled_mean": (moments.mean - VAE["shift_factor"]) * VAE["scaling_factor"], "vae.deviation": moments.std,
            "vae.latents": scaled, "vae.decoded": pipe.vae.decode(scaled / VAE["scaling_factor"] + VAE["shift_factor"]).sample}
    save_file({key: tensor.contiguous() for key, tensor in out.items()}, data / "reference.safetensors")


def cases():
    """The arguments of `atelier imagine` after the prompt; `@` stands for the data's folder."""
    seed = iter(range(41, 1000, 37))

    def case(id, prompt="plain", width=64, height=64, **options):
        args = [PROMPTS.get(prompt, prompt), "--width", width, "--height", height, "--seed", next(seed)]
        options = dict(steps=4, guidance=0.0, count=1) | options
        for option, value in options.items():
            args += [f"--{option}", value]
        return {"id": id, "model": id.split("/")[0], "args": [str(arg) for arg in args]}

    init = dict(init="@init_64x96.png", width=64, height=96)
    masked = init | dict(mask="@mask_64x96.png")
    return [
        case("turbo/own", steps=8),
        case("turbo/two", steps=3, width=96, height=64, count=2),
        case("turbo/1_step", steps=1),
        case("turbo/no_padding", "longer", width=128, height=128, steps=2),
        case("turbo/empty", ""),
        case("turbo/long", "long", width=80, height=48),
        case("turbo/guidance_1", guidance=1.0),
        case("turbo/guidance_2.5", "short", guidance=2.5, width=80, height=64),
        case("turbo/negative", guidance=2.0, negative="blurry, a red fox"),
        case("turbo/negative_off", negative="blurry"),
        case("turbo/negative_longer", "short", guidance=1.5, negative=PROMPTS["longer"]),
        case("turbo/image", steps=8, strength=0.6, **init),
        case("turbo/image_0.3", steps=8, strength=0.3, **init),
        case("turbo/image_all", steps=3, strength=1.0, **init),
        case("turbo/image_guided", "letters", steps=5, strength=0.5, guidance=1.2, **init),
        case("turbo/mask", steps=4, strength=1.0, **masked),
        case("turbo/mask_0.5", "letters", steps=6, strength=0.5, guidance=0.8, **masked),
        case("dynamic/own", steps=6),
        case("dynamic/wide", "letters", width=128, height=48, guidance=0.5),
        case("dynamic/image", steps=5, strength=0.7, **init),
    ]


def draw(pipes, case, data):
    """The pictures and last latents of a case."""
    options = {case["args"][i].removeprefix("--"): case["args"][i + 1] for i in range(1, len(case["args"]), 2)}
    size = dict(width=int(options["width"]), height=int(options["height"]))
    more = dict(negative_prompt=options.get("negative"), num_inference_steps=int(options["steps"]), guidance_scale=float(options["guidance"]))
    pipe = pipes[case["model"], "mask" if "mask" in options else "image" if "init" in options else "text"]
    if "init" in options:
        more |= dict(image=Image.open(data / options["init"][1:]).convert("RGB"), strength=float(options["strength"]))
    if "mask" in options:
        more |= dict(mask_image=Image.open(data / options["mask"][1:]).convert("L"))
    found = []
    for i in range(int(options["count"])):
        kept = []

        def keep(pipe, step, timestep, state):
            kept.append(state["latents"])
            return {}

        generator = torch.Generator("cpu").manual_seed(int(options["seed"]) + i)
        picture = pipe(case["args"][0], **size, **more, generator=generator, callback_on_step_end=keep).images[0]
        found.append((np.asarray(picture.convert("RGB")), kept[-1]))
    return zip(*found)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", type=Path, default=Path("inference/tests/data/z_image"))
    ap.add_argument("--work", type=Path, required=True, help="where the whole models go")
    args = ap.parse_args()
    torch.manual_seed(4)
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    args.data.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene(np.random.default_rng(6), 64, 96)).save(args.data / "init_64x96.png", optimize=True)
    Image.fromarray(mask(64, 96)).save(args.data / "mask_64x96.png", optimize=True)
    build(args.data, args.work)
    single_file(args.data, args.work)
    pipes = {}
    for name in MODELS:
        for kind, cls in (("text", diffusers.ZImagePipeline), ("image", diffusers.ZImageImg2ImgPipeline), ("mask", diffusers.ZImageInpaintPipeline)):
            pipes[name, kind] = cls.from_pretrained(args.work / "models" / name, torch_dtype=torch.float32)
            pipes[name, kind].set_progress_bar_config(disable=True)
    networks(pipes["turbo", "text"], args.data)
    found, sheets, latents = cases(), {name: [] for name in MODELS}, {name: {} for name in MODELS}
    for case in found:
        pictures, last = draw(pipes, case, args.data)
        sheet = sheets[case["model"]]
        case["pictures"] = [len(sheet) + i for i in range(len(pictures))]
        sheet += pictures
        latents[case["model"]] |= {f"{case['id'].split('/')[1]}.{i}": tensor.contiguous() for i, tensor in enumerate(last)}
        saturated = np.mean([(p == 0) | (p == 255) for p in pictures])
        print(f"{case['id']:24} latents {last[0].std():.3f}  picture {pictures[0].std():5.1f}  saturated {saturated:.2f}", flush=True)
    for folder in ("latents", "pictures"):
        (args.data / folder).mkdir(exist_ok=True)
    for model, sheet in sheets.items():
        owners = [case["id"] for case in found if case["model"] == model for _ in case["pictures"]]
        alike = [(a, b) for a in range(len(sheet)) for b in range(a) if sheet[a].shape == sheet[b].shape and psnr(sheet[a], sheet[b]) > 40]
        for a, b in alike:
            print("alike:", owners[a], owners[b], f"{psnr(sheet[a], sheet[b]):.1f} dB")
        pixels, places = pack(sheet)
        Image.fromarray(pixels).save(args.data / f"pictures/{model}.png", optimize=True)
        save_file(latents[model], args.data / f"latents/{model}.safetensors")
        for case in found:
            if case["model"] == model:
                case["pictures"] = [places[index] for index in case["pictures"]]
    for path in args.data.rglob("*.safetensors"):
        path.chmod(0o644)
    made_with = {library.__name__: library.__version__ for library in (torch, diffusers, transformers)}
    rows = ",\n".join(json.dumps(case, ensure_ascii=False) for case in found)
    (args.data / "cases.json").write_text(f'{{"made_with": {json.dumps(made_with)}, "cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
