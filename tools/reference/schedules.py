"""Writes timesteps and sigmas of diffusers' schedules to inference/tests/data/schedules.json. Needs torch and diffusers."""
import itertools
import json
import sys
from pathlib import Path

import diffusers
import torch

CLASSES = {
    "ddim": diffusers.DDIMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_a": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler,
}
SD = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
CONFIGS = [
    SD | {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": False, "clip_sample": False},
    SD | {"timestep_spacing": "trailing", "clip_sample": False},
    SD | {"timestep_spacing": "linspace", "clip_sample": False, "final_sigmas_type": "sigma_min"},
    {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "leading", "lambda_min_clipped": -5.1},
    SD | {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True, "prediction_type": "v_prediction", "clip_sample": False},
    {},
]


def cases():
    for config, name, steps, karras in itertools.product(CONFIGS, CLASSES, (1, 2, 7, 25, 30, 150), (False, True)):
        if karras and (name not in ("euler", "dpmpp_2m") or steps == 1):
            continue
        if config.get("rescale_betas_zero_snr") and name == "ddim":
            continue  # diffusers' DDIM has an infinite sigma there
        schedule = CLASSES[name].from_config(config | {"use_karras_sigmas": karras})
        schedule.set_timesteps(steps)
        case = {"sampler": name, "schedule": "karras" if karras else "normal", "steps": steps, "config": config}
        case["timesteps"] = [float(t) for t in schedule.timesteps]
        case["init_noise_sigma"] = float(schedule.init_noise_sigma)
        if hasattr(schedule, "sigmas"):
            case["sigmas"] = [float(s) for s in schedule.sigmas]
        yield case


out = Path(sys.argv[1] if len(sys.argv) > 1 else "inference/tests/data/schedules.json")
about = f"timesteps and sigmas of diffusers {diffusers.__version__} on torch {torch.__version__}, made by tools/reference/schedules.py"
out.write_text(json.dumps({"about": about, "cases": list(cases())}) + "\n")
print(out, out.stat().st_size)
