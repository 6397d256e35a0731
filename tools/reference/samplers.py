"""Runs diffusers' samplers over a small stand-in for a network and writes the last latents to inference/tests/data/samplers.json.

Needs torch, diffusers and scipy: `python tools/reference/samplers.py [OUT]`. The loops are those of the Stable Diffusion pipelines; a run with
`strength` starts in the middle as image-to-image does, one with `inpaint` puts the kept half back after every network call.
"""
import itertools
import json
import logging
import sys
import warnings
from pathlib import Path

import diffusers
import torch

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.set_num_threads(1)

MULTI = "DPMSolverMultistepScheduler"
CLASSES = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp_2m": (MULTI, {}),
    "dpmpp_2m_sde": (MULTI, {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_3m": (MULTI, {"solver_order": 3}),
    "dpmpp_2s": ("DPMSolverSinglestepScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
    "flow_euler": ("FlowMatchEulerDiscreteScheduler", {}),
}
KINDS = {
    "normal": {},
    "karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "sgm_uniform": {"timestep_spacing": "trailing"},
}
SD = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
V = {"prediction_type": "v_prediction"}
SD1 = SD | {"steps_offset": 1, "set_alpha_to_one": False, "skip_prk_steps": True, "clip_sample": False}
XL = SD1 | {"timestep_spacing": "leading", "interpolation_type": "linear", "sample_max_value": 1.0, "use_karras_sigmas": False}
ZERO = SD | V | {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True, "clip_sample": False}
CONFIGS = [SD1, XL, ZERO, {}, SD1 | V, V | {"timestep_spacing": "linspace"}]
STEPS = (10, 5, 2, 16, 4, 1, 30)
FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
COS = {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "leading", "lambda_min_clipped": -5.1}
# What one class alone understands: (samplers, configuration, schedule).
SPECIAL = [
    (("ddim", "tcd"), SD1 | {"eta": 0.3}, "normal"),
    (("ddim", "tcd"), {"eta": 1.0}, "normal"),
    (("ddim", "ddpm", "lcm", "dpmpp_2m", "dpmpp_2s", "unipc", "deis"), {"thresholding": True, "dynamic_thresholding_ratio": 0.7, "sample_max_value": 1.5}, "normal"),
    (("ddim", "ddpm", "heun", "lcm"), SD | {"clip_sample": True, "clip_sample_range": 0.8}, "normal"),
    (("ddim", "pndm"), {"set_alpha_to_one": True, "timestep_spacing": "trailing"}, "normal"),
    (("ddim", "ddpm", "heun", "lms", "euler", "dpmpp_2m", "dpmpp_2s", "unipc", "deis", "lcm", "tcd"), SD | {"prediction_type": "sample"}, "normal"),
    (("ddpm",), {"variance_type": "fixed_large"}, "normal"),
    (("ddpm",), {"variance_type": "fixed_small_log", "beta_schedule": "sigmoid"}, "normal"),
    (("ddpm",), {"beta_schedule": "laplace"}, "normal"),
    (("heun",), {"beta_schedule": "exp"}, "normal"),
    (("pndm",), {"timestep_spacing": "linspace"}, "normal"),
    (("pndm",), V, "sgm_uniform"),
    (("euler",), V | {"timestep_type": "continuous", "sigma_min": 0.002, "sigma_max": 80.0}, "karras"),
    (("euler",), {"interpolation_type": "log_linear"}, "normal"),
    (("euler", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_2s", "unipc"), SD1 | {"final_sigmas_type": "sigma_min"}, "normal"),
    (("euler", "dpmpp_2m", "dpmpp_2s", "unipc"), SD1 | {"final_sigmas_type": "sigma_min"}, "karras"),
    (("euler", "lms", "dpm2", "heun", "dpmpp_2m", "unipc", "deis"), {"sigma_min": 0.05, "sigma_max": 9.0}, "karras"),
    (("lms", "dpmpp_2s", "unipc"), {"sigma_min": 0.05, "sigma_max": 9.0}, "exponential"),
    (("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_2s"), SD1 | {"solver_type": "heun", "lower_order_final": False}, "normal"),
    (("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m"), SD1 | {"euler_at_final": True, "final_sigmas_type": "sigma_min"}, "normal"),
    (("dpmpp_2m", "dpmpp_3m", "dpmpp_2s"), SD1 | {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}, "normal"),
    (("dpmpp_2m", "dpmpp_3m", "dpmpp_2s"), V | {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "solver_type": "heun"}, "normal"),
    (("dpmpp_2m_sde",), SD1 | {"algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min"}, "normal"),
    (("dpmpp_2m_sde", "dpmpp_2s"), SD1 | {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}, "normal"),
    (("dpmpp_2s", "unipc", "deis"), SD1 | {"solver_order": 3}, "normal"),
    (("dpmpp_2s",), SD1 | {"solver_order": 3, "solver_type": "heun"}, "karras"),
    (("dpmpp_2s",), SD1 | {"solver_order": 3, "solver_type": "heun", "algorithm_type": "sde-dpmsolver++"}, "normal"),
    (("unipc", "deis"), SD1 | {"solver_order": 3, "lower_order_final": False, "final_sigmas_type": "sigma_min"}, "normal"),
    (("unipc",), SD1 | {"solver_type": "bh1", "solver_order": 3, "final_sigmas_type": "sigma_min"}, "normal"),
    (("unipc",), SD1 | {"predict_x0": False, "final_sigmas_type": "sigma_min"}, "normal"),
    (("unipc",), SD1 | {"disable_corrector": [0, 2]}, "normal"),
    (("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m"), SD1 | V | {"use_lu_lambdas": True}, "normal"),
    (("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_2s", "unipc", "deis"), FLOW, "normal"),
    (("unipc",), FLOW | {"shift_terminal": 0.1}, "normal"),
    (("unipc",), FLOW, "karras"),
    (("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m"), COS, "normal"),
    (("dpmpp_2m", "unipc", "deis"), COS, "karras"),
    (("dpmpp_2m", "unipc", "deis", "lms", "dpm2"), COS, "exponential"),
    (("lcm", "tcd"), {"original_inference_steps": 100}, "normal"),
    (("lcm",), SD1 | {"timestep_scaling": 3.0}, "normal"),
    (("flow_euler",), {"shift": 3.0}, "normal"),
    (("flow_euler",), {"shift": 3.0}, "karras"),
    (("flow_euler",), {"shift": 2.0}, "exponential"),
    (("flow_euler",), {"shift": 1.5}, "beta"),
    (("flow_euler",), {"shift": 3.0, "shift_terminal": 0.1, "stochastic_sampling": True}, "normal"),
]


def built(sampler, kind, config):
    name, extra = CLASSES[sampler]
    if config.get("algorithm_type") == "sde-dpmsolver":
        extra = {}
    cls = getattr(diffusers, name)
    given = {key: value for key, value in config.items() if key != "eta"}
    return cls.from_config(given, **extra, **KINDS[kind])


def lacks(sampler, kind):
    """Whether diffusers' class has no such option."""
    name, _ = CLASSES[sampler]
    return not set(KINDS[kind]) <= set(getattr(diffusers, name).__init__.__wrapped__.__code__.co_varnames) or (
        kind == "sgm_uniform" and sampler in ("lcm", "tcd")
    )


def network(latents, timestep):
    return 0.7 * torch.tanh(latents) + 0.3 * torch.cos(timestep.to(torch.float32) / 300)


def run(sampler, kind, config, steps, strength=None, inpaint=False):
    scheme = built(sampler, kind, config)
    scheme.set_timesteps(steps)
    generator = torch.Generator().manual_seed(steps)
    noise = torch.randn(1, 1, 4, 4, generator=generator)
    clean = torch.arange(16, dtype=torch.float32).reshape(1, 1, 4, 4) / 8 - 1
    mask = torch.tensor([0.0, 1.0]).repeat(8).reshape(1, 1, 4, 4)
    add_noise = getattr(scheme, "add_noise", None) or (lambda clean, noise, at: scheme.scale_noise(clean, at, noise))
    timesteps = scheme.timesteps
    if strength is not None:
        start = max(steps - min(int(steps * strength), steps), 0)
        if start == steps:
            return None
        timesteps = scheme.timesteps[start * scheme.order :]
    if (strength is not None or inpaint) and hasattr(scheme, "set_begin_index"):
        scheme.set_begin_index(start * scheme.order if strength is not None else 0)
    if strength is None:
        latents = noise * getattr(scheme, "init_noise_sigma", 1.0)
    else:
        latents = add_noise(clean, noise, timesteps[:1])
    parameters = scheme.step.__wrapped__.__code__.co_varnames if hasattr(scheme.step, "__wrapped__") else scheme.step.__code__.co_varnames
    extra = {"eta": config.get("eta", 0.0)} if "eta" in parameters else {}
    if "generator" in parameters:
        extra["generator"] = generator
    for i, t in enumerate(timesteps):
        scaled = scheme.scale_model_input(latents, t) if hasattr(scheme, "scale_model_input") else latents
        latents = scheme.step(network(scaled, t), t, latents, **extra, return_dict=False)[0]
        if inpaint:
            kept = add_noise(clean, noise, timesteps[i + 1 : i + 2]) if i + 1 < len(timesteps) else clean
            latents = (1 - mask) * kept + mask * latents
    if not torch.isfinite(latents).all():
        return None
    return [float(f"{value:.5g}") for value in latents.flatten().tolist()]


def wanted():
    turn = itertools.cycle(STEPS)
    for config, sampler, kind in itertools.product(CONFIGS, CLASSES, KINDS):
        if sampler == "flow_euler" or lacks(sampler, kind):
            continue
        if kind == "sgm_uniform" and config.get("timestep_spacing") == "trailing":
            continue
        yield sampler, kind, config, next(turn), {}
        yield sampler, kind, config, next(turn), {"strength": 0.6}
        if kind == "normal":
            yield sampler, kind, config, next(turn), {}
            yield sampler, kind, config, 20, {"strength": 0.2}
        if (kind == "normal" and config in (SD1, XL)) or (kind == "karras" and config is SD1):
            yield sampler, kind, config, 6, {"inpaint": True}
            yield sampler, kind, config, 9, {"inpaint": True, "strength": 0.7}
    for samplers, config, kind in SPECIAL:
        for sampler in samplers:
            yield sampler, kind, config, 7, {}
            yield sampler, kind, config, 20, {}
            yield sampler, kind, config, 11, {"strength": 0.6}


def main():
    configs, cases = [], []
    for sampler, kind, config, steps, options in wanted():
        try:
            latents = run(sampler, kind, config, steps, **options)
        except (ValueError, IndexError, AssertionError) as error:
            print("refused:", sampler, kind, config, steps, options, error)
            continue
        if latents is None:
            continue  # no step to make, or not a number
        if config not in configs:
            configs.append(config)
        cases.append({"sampler": sampler, "schedule": kind, "config": configs.index(config), "steps": steps} | options | {"latents": latents})
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "inference/tests/data/samplers.json")
    about = f"last latents of diffusers {diffusers.__version__} on torch {torch.__version__}, made by tools/reference/samplers.py"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    out.write_text(f'{{"about":{json.dumps(about)},"configs":{json.dumps(configs)},"cases":[\n{lines}\n]}}\n')
    print(out, len(cases), out.stat().st_size)


if __name__ == "__main__":
    main()
