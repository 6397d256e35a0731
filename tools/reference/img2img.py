"""Writes reference pictures of diffusers' image-to-image pipeline to inference/tests/data/img2img/. Needs torch and diffusers."""
import json
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import StableDiffusionImg2ImgPipeline
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "inference/tests/data/img2img"
CLASSES = {
    "ddim": diffusers.DDIMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_a": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler,
}
CASES = [
    {"sampler": "ddim", "strength": 0.6, "seed": 11, "source": "0.png", "prompt": "a dog"},
    {"sampler": "dpmpp_2m", "strength": 0.75, "seed": 12, "source": "2.png", "prompt": "a green pear"},
    {"sampler": "euler_a", "strength": 0.5, "seed": 13, "source": "1.png", "prompt": "a lighthouse"},
]

pipe = StableDiffusionImg2ImgPipeline.from_pretrained(ROOT / "models/starter/model", torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
config = pipe.scheduler.config
for i, case in enumerate(CASES):
    case |= {"steps": 20, "guidance_scale": 5.0, "negative_prompt": "", "image": f"{i}.png"}
    pipe.scheduler = CLASSES[case["sampler"]].from_config(config)
    source = Image.open(ROOT / "models/starter/reference" / case["source"]).convert("RGB")
    image = pipe(
        prompt=case["prompt"],
        negative_prompt=case["negative_prompt"],
        image=source,
        strength=case["strength"],
        num_inference_steps=case["steps"],
        guidance_scale=case["guidance_scale"],
        generator=torch.Generator().manual_seed(case["seed"]),
    ).images[0]
    image.save(OUT / case["image"])
made_with = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
(OUT / "cases.json").write_text(json.dumps({"made_with": made_with, "cases": CASES}, indent=1) + "\n")
