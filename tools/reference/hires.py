"""Writes reference pictures of two passes, the second over enlarged latents, to inference/tests/data/hires/. Needs torch and diffusers."""
import json
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline

from family_cases import scheduler

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "inference/tests/data/hires"
# `hires_steps` is the number of steps of the second pass where it is another one.
CASES = [
    {"sampler": "ddim", "size": [64, 64], "scale": 1.5, "strength": 0.6, "steps": 8, "seed": 21, "prompt": "a cat"},
    {"sampler": "euler_a", "size": [64, 48], "scale": 1.5, "strength": 0.7, "steps": 9, "seed": 22, "prompt": "a lighthouse"},
    {"sampler": "dpmpp_2m_sde", "size": [48, 64], "scale": 1.3, "strength": 0.5, "steps": 7, "hires_steps": 12, "seed": 23, "prompt": "a green pear"},
    {"sampler": "heun", "size": [40, 24], "scale": 2.0, "strength": 1.0, "steps": 5, "hires_steps": 4, "seed": 24, "prompt": "a red apple on a blue background"},
]

first = StableDiffusionPipeline.from_pretrained(ROOT / "models/starter/model", torch_dtype=torch.float32)
second = StableDiffusionImg2ImgPipeline(**first.components, requires_safety_checker=False)
own = first.scheduler
for i, case in enumerate(CASES):
    case |= {"guidance_scale": 5.0, "negative_prompt": "blurry", "image": f"{i}.png"}
    generator = torch.Generator().manual_seed(case["seed"])
    both = {key: case[key] for key in ("prompt", "negative_prompt", "guidance_scale")} | {"generator": generator}
    for pipe in (first, second):
        pipe.set_progress_bar_config(disable=True)
        pipe.scheduler = scheduler(own, case["sampler"], None)
    width, height = case["size"]
    latents = first(**both, width=width, height=height, num_inference_steps=case["steps"], output_type="latent").images
    sides = [round(side * case["scale"] / pipe.vae_scale_factor) for side in (height, width)]
    large = torch.nn.functional.interpolate(latents, size=sides, mode="bilinear")
    picture = second(**both, image=large, strength=case["strength"], num_inference_steps=case.get("hires_steps", case["steps"])).images[0]
    picture.save(OUT / case["image"])
    print(case["sampler"], picture.size, float(latents.std()))
made_with = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
(OUT / "cases.json").write_text(json.dumps({"made_with": made_with, "cases": CASES}, indent=1) + "\n")
