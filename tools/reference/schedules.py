"""Writes timesteps and sigmas of diffusers' schedules to inference/tests/data/schedules.json. Needs torch, diffusers and scipy."""
import itertools
import json
import sys
from pathlib import Path

import diffusers
import samplers
import torch

SD = samplers.SD
CONFIGS = [
    samplers.XL,
    SD | {"timestep_spacing": "linspace", "clip_sample": False, "final_sigmas_type": "sigma_min"},
    {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "leading", "lambda_min_clipped": -5.1},
    samplers.ZERO,
    {},
]


def rounded(values):
    rounded = [float(f"{float(value):.7g}") for value in values]
    return [int(value) if value.is_integer() else value for value in rounded]


def cases():
    for config, sampler, kind in itertools.product(CONFIGS, samplers.CLASSES, samplers.KINDS):
        if samplers.lacks(sampler, kind) and not (sampler == "flow_euler" and kind == "normal"):
            continue
        if kind == "sgm_uniform" and config.get("timestep_spacing") == "trailing":
            continue
        if sampler in ("dpmpp_2m_sde", "dpmpp_3m") or (sampler == "flow_euler" and config):
            continue
        for steps in (1, 7, 30) if config is CONFIGS[0] else (1, 9) if kind == "normal" else (9,):
            if steps == 1 and kind not in ("normal", "sgm_uniform"):
                continue
            try:
                scheme = samplers.built(sampler, kind, config)
                scheme.set_timesteps(steps)
            except ValueError:
                continue
            if not torch.isfinite(torch.as_tensor(scheme.timesteps, dtype=torch.float64)).all():
                continue  # its float32 cannot go there
            case = {"sampler": sampler, "schedule": kind, "steps": steps, "config": CONFIGS.index(config)}
            case["timesteps"] = rounded(scheme.timesteps)
            case["init_noise_sigma"] = rounded([getattr(scheme, "init_noise_sigma", 1.0)])[0]
            if hasattr(scheme, "sigmas"):
                case["sigmas"] = rounded(scheme.sigmas)
            yield case


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "inference/tests/data/schedules.json")
    about = f"timesteps and sigmas of diffusers {diffusers.__version__} on torch {torch.__version__}, made by tools/reference/schedules.py"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    out.write_text(f'{{"about":{json.dumps(about)},"configs":{json.dumps(CONFIGS)},"cases":[\n{lines}\n]}}\n')
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main()
