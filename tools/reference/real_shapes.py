"""How alike our picture and diffusers' are for a model of full size with random weights, in float32 on a CPU.

python tools/reference/real_shapes.py --atelier target/release/atelier --work /tmp/real [--family sdxl] [--size 256] [--steps 2]
Stable Diffusion 1.5 takes about 4 GB of disk and memory for each of the two programs, one after the other; XL about 14 GB.
"""
import argparse
import gc
import json
import math
import shutil
import subprocess
import time
from pathlib import Path

import diffusers
import numpy as np
import torch
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import family_models

SHAPES = {
    "sd1": dict(
        pipeline=diffusers.StableDiffusionPipeline,
        unet=dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280),
                  down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3),
        text_encoder=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, hidden_act="quick_gelu"),
        schedule=family_models.PNDM, scaling_factor=0.18215),
    "sdxl": dict(
        pipeline=diffusers.StableDiffusionXLPipeline,
        unet=dict(sample_size=128, cross_attention_dim=2048, attention_head_dim=[5, 10, 20], block_out_channels=(320, 640, 1280),
                  down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                  transformer_layers_per_block=[1, 2, 10], use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
                  projection_class_embeddings_input_dim=2816),
        text_encoder=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, hidden_act="quick_gelu"),
        text_encoder_2=dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu", projection_dim=1280),
        schedule=family_models.EULER_XL, scaling_factor=0.13025),
}
VAE = dict(block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4, sample_size=512)


@torch.no_grad()
def build(family, tokenizer, folder):
    """Saves the parts one by one, so that only one is in memory."""
    shapes, index = SHAPES[family], {"_class_name": SHAPES[family]["pipeline"].__name__}
    n_tokens = len(json.loads((tokenizer / "vocab.json").read_text()))
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if part == "vae":
            net = diffusers.AutoencoderKL(**VAE, scaling_factor=shapes["scaling_factor"])
        elif part == "unet":
            net = diffusers.UNet2DConditionModel(**shapes[part])
        elif part in shapes:
            # The table of tokens has CLIP's length, whatever the vocabulary.
            config = CLIPTextConfig(**shapes[part], vocab_size=49408, bos_token_id=n_tokens - 2, eos_token_id=n_tokens - 1)
            net = (CLIPTextModelWithProjection if part.endswith("2") else CLIPTextModel)(config)
        else:
            continue
        print(f"{part}: {sum(weights.numel() for weights in net.parameters()) / 1e6:.0f} million parameters", flush=True)
        net.save_pretrained(folder / part)
        index[part] = ["transformers" if part.startswith("text") else "diffusers", type(net).__name__]
        if part.startswith("text"):
            name = part.replace("text_encoder", "tokenizer")
            shutil.copytree(tokenizer, folder / name, dirs_exist_ok=True)
            index[name] = ["transformers", "CLIPTokenizer"]
        del net
        gc.collect()
    index["scheduler"] = ["diffusers", shapes["schedule"]["_class_name"]]
    if family == "sdxl":
        index["force_zeros_for_empty_prompt"] = True
    else:
        index |= {"feature_extractor": [None, None], "safety_checker": [None, None], "requires_safety_checker": False}
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(shapes["schedule"]))
    (folder / "model_index.json").write_text(json.dumps(index))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--atelier", required=True)
    ap.add_argument("--work", type=Path, required=True)
    ap.add_argument("--family", choices=SHAPES, default="sd1")
    ap.add_argument("--tokenizer", type=Path, default=Path("models/starter/model/tokenizer"))
    ap.add_argument("--size", type=int, default=256)
    ap.add_argument("--steps", type=int, default=2)
    ap.add_argument("--prompt", default="a lighthouse by the sea")
    args = ap.parse_args()
    torch.manual_seed(5)
    diffusers.utils.logging.set_verbosity_error()
    folder = args.work / args.family
    if not (folder / "model_index.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        build(args.family, args.tokenizer, folder)
    begun = time.time()
    pipe = SHAPES[args.family]["pipeline"].from_pretrained(folder, torch_dtype=torch.float32)
    drawn = pipe(args.prompt, num_inference_steps=args.steps, guidance_scale=5.0, width=args.size, height=args.size, generator=torch.Generator("cpu").manual_seed(3)).images[0]
    theirs = np.asarray(drawn.convert("RGB"))
    drawn.save(args.work / f"{args.family}-diffusers.png")
    del pipe
    gc.collect()
    print(f"diffusers: {time.time() - begun:.0f} s with loading, pixels {theirs.mean():.0f} ± {theirs.std():.0f}", flush=True)
    begun, out = time.time(), args.work / f"{args.family}-atelier"
    command = [args.atelier, "imagine", args.prompt, "--model", folder, "--steps", args.steps, "--guidance", 5, "--width", args.size, "--height", args.size,
               "--seed", 3, "--count", 1, "--device", "cpu", "--dtype", "f32", "--out", out]
    subprocess.run([str(word) for word in command], check=True)
    ours = np.asarray(Image.open(out / "3.png").convert("RGB"))
    error = np.mean((ours.astype(np.float64) - theirs) ** 2)
    print(f"atelier: {time.time() - begun:.0f} s with loading; PSNR {math.inf if error == 0 else 10 * math.log10(255**2 / error):.1f} dB")


if __name__ == "__main__":
    main()
