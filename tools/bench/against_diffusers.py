"""Times the starter model in Atelier and in diffusers on PyTorch, in turn, on the same machine: 4 pictures, 25 steps, guidance on, float32.

    python tools/bench/against_diffusers.py --atelier target/release/atelier --model models/starter/model --rounds 5

Needs `pip install torch diffusers transformers`. Both get the same number of threads. Loading is not timed on either side; what is timed is from the
prompt to four pictures. Prints each round, then the medians and their ratio (Atelier / diffusers).
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--atelier", required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(options.threads)

import torch  # noqa: E402  (the number of threads is read at import)
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline  # noqa: E402

PROMPT, STEPS, GUIDANCE, COUNT = "a frog", 25, 4.0, 4
torch.set_num_threads(options.threads)
pipe = StableDiffusionPipeline.from_pretrained(options.model, torch_dtype=torch.float32, safety_checker=None)
pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
pipe.set_progress_bar_config(disable=True)


def diffusers(seed):
    generators = [torch.Generator("cpu").manual_seed(seed + i) for i in range(COUNT)]
    start = time.perf_counter()
    pipe([PROMPT] * COUNT, num_inference_steps=STEPS, guidance_scale=GUIDANCE, generator=generators)
    return time.perf_counter() - start


def atelier(seed):
    with tempfile.TemporaryDirectory() as out:
        command = [options.atelier, "imagine", PROMPT, "--model", options.model, "--seed", str(seed), "--steps", str(STEPS), "--guidance", str(GUIDANCE),
                   "--count", str(COUNT), "--sampler", "dpmpp_2m", "--out", out, "--json"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed.strip().splitlines()[-1])["seconds"]


diffusers(0), atelier(0)
rounds = []
for seed in range(1, options.rounds + 1):
    rounds.append((atelier(seed), diffusers(seed)))
    print(f"round {seed}: atelier {rounds[-1][0]:.2f} s, diffusers {rounds[-1][1]:.2f} s, ratio {rounds[-1][0] / rounds[-1][1]:.2f}")
ours, theirs = (statistics.median(column) for column in zip(*rounds))
ratio = statistics.median(a / b for a, b in rounds)
print(f"median: atelier {ours:.2f} s, diffusers {theirs:.2f} s, ratio {ratio:.2f} (torch {torch.__version__}, {options.threads} threads)")
