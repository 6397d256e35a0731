"""How alike our picture and diffusers' are for a Z-Image of real widths with random weights, in float32 on a CPU.

python tools/reference/z_image_real_shapes.py --atelier target/release/atelier --work /tmp/real [--size 256] [--steps 2]
Real are the widths, heads, angles and both refiners of the transformer, the text encoder and the VAE; of the transformer's 30 layers there are 4, of the
text encoder's 36 the first 4 that its states need (so 5). About 4.5 GB of disk, and 10 GB of memory for each of the two programs, one after the other.
Measured on two cores: 92.6 dB; 81 s with loading for diffusers, 45 s for atelier.
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
import transformers
from PIL import Image

from z_image import FLOW

TRANSFORMER = dict(n_layers=4)
VAE = dict(block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2,
           latent_channels=16, sample_size=1024, scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False)
TEXT = dict(hidden_size=2560, intermediate_size=9728, num_hidden_layers=5, num_attention_heads=32, num_key_value_heads=8, head_dim=128, max_position_embeddings=40960,
            rope_theta=1e6, tie_word_embeddings=True, vocab_size=8192)


@torch.no_grad()
def build(tokenizer, folder):
    """Saves the parts one by one, so that only one is in memory."""
    index = {"_class_name": "ZImagePipeline", "scheduler": ["diffusers", FLOW["_class_name"]], "tokenizer": ["transformers", "Qwen2Tokenizer"]}
    for part in ("transformer", "vae", "text_encoder"):
        if part == "transformer":
            net = diffusers.ZImageTransformer2DModel(**TRANSFORMER)
            for pad in (net.x_pad_token, net.cap_pad_token):
                pad.normal_()
        elif part == "vae":
            net = diffusers.AutoencoderKL(**VAE)
        else:
            net = transformers.Qwen3Model(transformers.Qwen3Config(**TEXT))
        print(f"{part}: {sum(weights.numel() for weights in net.parameters()) / 1e6:.0f} million parameters", flush=True)
        # Half as many bytes; both programs widen the same numbers.
        net.to(torch.bfloat16).save_pretrained(folder / part)
        index[part] = ["transformers" if part == "text_encoder" else "diffusers", type(net).__name__]
        del net
        gc.collect()
    shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(FLOW))
    (folder / "model_index.json").write_text(json.dumps(index))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--atelier", required=True)
    ap.add_argument("--work", type=Path, required=True)
    ap.add_argument("--tokenizer", type=Path, default=Path("inference/tests/data/z_image/tokenizer"))
    ap.add_argument("--size", type=int, default=256)
    ap.add_argument("--steps", type=int, default=2)
    ap.add_argument("--prompt", default="a lighthouse by the sea")
    args = ap.parse_args()
    torch.manual_seed(5)
    diffusers.utils.logging.set_verbosity_error()
    folder = args.work / "z_image"
    if not (folder / "model_index.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        build(args.tokenizer, folder)
    begun = time.time()
    pipe = diffusers.ZImagePipeline.from_pretrained(folder, torch_dtype=torch.float32)
    drawn = pipe(args.prompt, num_inference_steps=args.steps, guidance_scale=0.0, width=args.size, height=args.size, generator=torch.Generator("cpu").manual_seed(3)).images[0]
    theirs = np.asarray(drawn.convert("RGB"))
    drawn.save(args.work / "z_image-diffusers.png")
    del pipe
    gc.collect()
    print(f"diffusers: {time.time() - begun:.0f} s with loading, pixels {theirs.mean():.0f} ± {theirs.std():.0f}", flush=True)
    begun, out = time.time(), args.work / "z_image-atelier"
    command = [args.atelier, "imagine", args.prompt, "--literal", "--model", folder, "--steps", args.steps, "--guidance", 0, "--width", args.size, "--height", args.size,
               "--seed", 3, "--count", 1, "--device", "cpu", "--dtype", "f32", "--out", out]
    subprocess.run([str(word) for word in command], check=True)
    ours = np.asarray(Image.open(out / "3.png").convert("RGB"))
    error = np.mean((ours.astype(np.float64) - theirs) ** 2)
    print(f"atelier: {time.time() - begun:.0f} s with loading; PSNR {math.inf if error == 0 else 10 * math.log10(255**2 / error):.1f} dB")


if __name__ == "__main__":
    main()
