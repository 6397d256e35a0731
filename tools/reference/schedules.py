"""Writes timesteps and sigmas of diffusers' schedules to inference/tests/data/{schedules,flow_schedules}.json. Needs torch, diffusers and scipy."""
import itertools
import json
import sys
import types
from pathlib import Path

import diffusers
import numpy as np
import samplers
import torch
from diffusers import ZImageImg2ImgPipeline
from diffusers.pipelines.z_image.pipeline_z_image import calculate_shift, get_default_z_image_sigmas

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


FLOW_CONFIGS = [
    {"shift": 3.0},
    {"shift": 6.0, "shift_terminal": 0.02},
    {"use_dynamic_shifting": True},
    {"use_dynamic_shifting": True, "time_shift_type": "linear", "base_shift": 0.6, "max_shift": 1.2},
    {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9, "base_image_seq_len": 256, "max_image_seq_len": 8192, "shift_terminal": 0.02},
]
SIZES = [(256, 256), (512, 512), (1024, 640), (1024, 1024), (2048, 1536)]
KINDS = ["normal", "karras", "exponential", "beta"]
# Not of this one's kind, but with the same shift by size.
OTHERS = ["dpmpp_2m", "dpmpp_2s", "unipc", "deis"]


def flow_schedule(case, config):
    """Of a class on its own, or (`given`) as pipelines of flow matching set it."""
    sampler, steps, (width, height) = case["sampler"], case["steps"], case["size"]
    extra = {} if sampler == "flow_euler" else {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": config.get("shift", 1.0)}
    scheme = samplers.built(sampler, case["schedule"], config | extra)
    given = {"sigmas": np.array(get_default_z_image_sigmas(steps))} if case["given"] else {}
    if config.get("use_dynamic_shifting"):
        keys = ("base_image_seq_len", 256), ("max_image_seq_len", 4096), ("base_shift", 0.5), ("max_shift", 1.15)
        given["mu"] = calculate_shift((height // 16) * (width // 16), *(config.get(key, default) for key, default in keys))
    scheme.set_timesteps(num_inference_steps=steps, **given)
    return {"timesteps": [float(f"{float(value):.9g}") for value in scheme.timesteps], "sigmas": [float(f"{float(value):.9g}") for value in scheme.sigmas]}


def flow_cases():
    for index, config in enumerate(FLOW_CONFIGS):
        dynamic = config.get("use_dynamic_shifting", False)
        for given, kind, size, steps in itertools.product((True, False), KINDS, SIZES if dynamic else SIZES[:1], (1, 4, 9)):
            if steps == 1 and (kind != "normal" or "shift_terminal" in config):
                continue
            case = {"config": index, "sampler": "flow_euler", "schedule": kind, "steps": steps, "size": size, "given": given}
            yield case | flow_schedule(case, config)
        for sampler, size in itertools.product(OTHERS, SIZES[:3]) if config.get("time_shift_type") != "linear" else ():
            for given in (False, True) if sampler == "unipc" else (False,):
                case = {"config": index, "sampler": sampler, "schedule": "normal", "steps": 8, "size": size, "given": given}
                yield case | flow_schedule(case, config)


def left_out_steps():
    """What image-to-image pipelines of flow matching leave out of so many steps at a strength."""
    for steps, strength in itertools.product((1, 4, 8, 9, 28), (0.05, 0.3, 0.6, 0.75, 0.9, 1.0)):
        pipeline = types.SimpleNamespace(scheduler=diffusers.FlowMatchEulerDiscreteScheduler())
        pipeline.scheduler.set_timesteps(steps)
        _, left = ZImageImg2ImgPipeline.get_timesteps(pipeline, steps, strength, "cpu")
        yield {"steps": steps, "strength": strength, "left_out": steps - left}


def write_flow(out):
    about = f"schedules of flow matching by diffusers {diffusers.__version__} on torch {torch.__version__}, made by tools/reference/schedules.py"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in flow_cases())
    left_out = ",\n".join(json.dumps(case, separators=(",", ":")) for case in left_out_steps())
    out.write_text(f'{{"about":{json.dumps(about)},"configs":{json.dumps(FLOW_CONFIGS)},"cases":[\n{lines}\n],"left_out":[\n{left_out}\n]}}\n')
    print(out, out.stat().st_size)


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "inference/tests/data/schedules.json")
    write_flow(out.with_name("flow_schedules.json"))
    about = f"timesteps and sigmas of diffusers {diffusers.__version__} on torch {torch.__version__}, made by tools/reference/schedules.py"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases())
    out.write_text(f'{{"about":{json.dumps(about)},"configs":{json.dumps(CONFIGS)},"cases":[\n{lines}\n]}}\n')
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main()
