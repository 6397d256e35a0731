"""Writes reference pictures of prompts in weighted parts to inference/tests/data/parts/. Needs torch and diffusers.

A prompt `a::2 b::-0.5` is what diffusers draws from `prompt_embeds` that are the sum of the parts' own embeddings by their shares of the weights' sum.
"""
import json
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import DDIMScheduler, StableDiffusionPipeline

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "inference/tests/data/parts"
CASES = [
    {"prompt": "a frog:: a red apple", "parts": [["a frog", 1.0], ["a red apple", 1.0]], "seed": 21},
    {"prompt": "a lighthouse::3, snow::1", "parts": [["a lighthouse", 3.0], ["snow", 1.0]], "seed": 22},
    {"prompt": "a green pear::1 green::-.5", "parts": [["a green pear", 1.0], ["green", -0.5]], "seed": 23},
]

OUT.mkdir(parents=True, exist_ok=True)
pipe = StableDiffusionPipeline.from_pretrained(ROOT / "models/starter/model", torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)


def embeds(text):
    return pipe.encode_prompt(text, "cpu", 1, False)[0]


for i, case in enumerate(CASES):
    case |= {"steps": 20, "guidance_scale": 5.0, "image": f"{i}.png"}
    total = sum(weight for _, weight in case["parts"])
    image = pipe(
        prompt_embeds=sum(embeds(text) * (weight / total) for text, weight in case["parts"]),
        negative_prompt_embeds=embeds(""),
        num_inference_steps=case["steps"],
        guidance_scale=case["guidance_scale"],
        generator=torch.Generator().manual_seed(case["seed"]),
    ).images[0]
    image.save(OUT / case["image"])
made_with = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
(OUT / "cases.json").write_text(json.dumps({"made_with": made_with, "cases": CASES}, indent=1) + "\n")
