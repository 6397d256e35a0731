"""Tiny CLIPs of both kinds with random weights, and what transformers makes of words and pictures with them in float32 on a CPU.

python tools/reference/clip.py --tokenizer inference/tests/data/text/tokenizer --out inference/tests/data/clip

Models: `quick` (quick_gelu and the old `eos_token_id` 2, as OpenAI's ViT-B/32 and L/14) and `exact` (gelu, a real end, as OpenCLIP's H/14). Pictures are a formula (`picture`),
which the test has too; they are prepared by transformers' own processor with PIL (bicubic, centre crop). Tolerance of the tests: 1e-4, of pixels 1e-5."""
import argparse, json, os, shutil
import numpy as np, torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

ap = argparse.ArgumentParser(); ap.add_argument("--tokenizer", required=True); ap.add_argument("--out", required=True); a = ap.parse_args()
torch.manual_seed(5); torch.set_num_threads(1); torch.set_grad_enabled(False)
tokenizer = CLIPTokenizer.from_pretrained(a.tokenizer)
EOS = tokenizer.eos_token_id
texts = ["a red fox in the snow", "an old car", "", "watercolour, soft light, green and blue"]
sizes = [(70, 50), (20, 30), (32, 32), (40, 97)]

def picture(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([(x * 7 + y * 3) % 256, (x * y) % 256, (255 - x * 5 + y * 11) % 256], -1).astype(np.uint8))

def made(name, activation, eos, vision, text, projection):
    common = dict(hidden_act=activation)
    config = CLIPConfig(projection_dim=projection, text_config=dict(vocab_size=len(tokenizer), max_position_embeddings=77, bos_token_id=EOS - 1, eos_token_id=eos, **common, **text),
        vision_config=dict(image_size=32, **common, **vision))
    net = CLIPModel(config)
    for p in net.parameters(): p.data += 0.2 * torch.randn_like(p)
    net.logit_scale.data.fill_(2.5)
    net = net.half().float().eval()
    folder = f"{a.out}/{name}"; os.makedirs(folder, exist_ok=True)
    net.half().save_pretrained(folder); net.float()
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}); processor.save_pretrained(folder)
    for file in os.listdir(a.tokenizer): shutil.copy(f"{a.tokenizer}/{file}", folder)
    pixels = processor([picture(*size) for size in sizes], return_tensors="pt").pixel_values
    words = tokenizer(texts, padding=True, return_tensors="pt")
    answer = net(input_ids=words.input_ids, attention_mask=words.attention_mask, pixel_values=pixels)
    out = {"pixels": pixels, "texts": answer.text_embeds, "pictures": answer.image_embeds, "logits": answer.logits_per_image}
    save_file({k: v.float().contiguous() for k, v in out.items()}, f"{a.out}/{name}.safetensors")
    print(name, answer.logits_per_image)

made("quick", "quick_gelu", 2, dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, patch_size=8), dict(hidden_size=16, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2), 12)
made("exact", "gelu", EOS, dict(hidden_size=16, intermediate_size=40, num_hidden_layers=3, num_attention_heads=2, patch_size=16), dict(hidden_size=20, intermediate_size=32, num_hidden_layers=2, num_attention_heads=5), 8)
json.dump({"texts": texts, "sizes": sizes}, open(f"{a.out}/reference.json", "w"))
