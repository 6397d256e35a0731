"""The cases: the arguments of `atelier imagine`, and what they mean to diffusers."""
import argparse
import copy
import inspect

import diffusers

# Our names of samplers, the classes they stand for, and what a class is told beside the model's configuration.
SAMPLERS = {
    "ddim": (diffusers.DDIMScheduler, {}),
    "ddpm": (diffusers.DDPMScheduler, {}),
    "pndm": (diffusers.PNDMScheduler, {}),
    "lms": (diffusers.LMSDiscreteScheduler, {}),
    "heun": (diffusers.HeunDiscreteScheduler, {}),
    "euler": (diffusers.EulerDiscreteScheduler, {}),
    "euler_a": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "dpm2": (diffusers.KDPM2DiscreteScheduler, {}),
    "dpm2_a": (diffusers.KDPM2AncestralDiscreteScheduler, {}),
    "dpmpp_2m": (diffusers.DPMSolverMultistepScheduler, {}),
    "dpmpp_2m_sde": (diffusers.DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_3m": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 3}),
    "dpmpp_2s": (diffusers.DPMSolverSinglestepScheduler, {}),
    "unipc": (diffusers.UniPCMultistepScheduler, {}),
    "deis": (diffusers.DEISMultistepScheduler, {}),
    "lcm": (diffusers.LCMScheduler, {}),
    "tcd": (diffusers.TCDScheduler, {}),
}
SCHEDULES = {"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas", "sgm_uniform": "timestep_spacing"}
# Both have the key and do not read it.
WITHOUT_SPACING = ("lcm", "tcd")
PROMPTS = ["a red fox in the snow", "two cats on a sofa, oil painting", "Portrait of a man; 1920s photo!", "café at night", "lighthouse"]


def supports(sampler, schedule):
    """Whether diffusers has the pair."""
    if schedule == "normal":
        return True
    if schedule == "sgm_uniform" and sampler in WITHOUT_SPACING:
        return False
    return SCHEDULES[schedule] in inspect.signature(SAMPLERS[sampler][0].__init__).parameters


def scheduler(own, sampler, schedule):
    """The class and settings that two names ask for; `None` keeps the model's own, with what its pipeline has rewritten."""
    if sampler is None and schedule in (None, "normal"):
        return copy.deepcopy(own)
    config = dict(own.config)
    told = {} if schedule in (None, "normal") else {SCHEDULES[schedule]: "trailing" if schedule == "sgm_uniform" else True}
    cls, more = (type(own), {}) if sampler is None else SAMPLERS[sampler]
    return cls.from_config(config, **more, **told)


def parser():
    ap = argparse.ArgumentParser()
    ap.add_argument("prompt")
    for name, kind in {"negative": str, "steps": int, "guidance": float, "sampler": str, "schedule": str, "seed": int, "width": int, "height": int, "init": str,
                       "mask": str, "strength": float, "clip-skip": int, "guidance-rescale": float, "vae": str, "embedding": str}.items():
        ap.add_argument(f"--{name}", type=kind)
    ap.add_argument("--count", type=int, default=1)
    ap.add_argument("--lora", action="append", default=[])
    return ap


def case(name, model, prompt=0, size=(24, 24), steps=5, guidance=3.0, seed=None, **more):
    """One case; files of the fixture folder are written with an @ before them."""
    args = [PROMPTS[prompt] if isinstance(prompt, int) else prompt, "--steps", str(steps), "--guidance", str(guidance), "--width", str(size[0]), "--height", str(size[1])]
    args += ["--seed", str(seed if seed is not None else sum(map(ord, name)) * 7)]
    for key, value in more.items():
        for item in value if isinstance(value, list) else [value]:
            args += [f"--{key.replace('_', '-')}", str(item)]
    return {"id": f"{model}/{name}", "model": model, "args": args + ([] if "count" in more else ["--count", "1"])}


def sampler_cases():
    found = []
    for i, sampler in enumerate(SAMPLERS):
        for j, schedule in enumerate(["normal", *SCHEDULES]):
            if supports(sampler, schedule):
                asked = {"sampler": sampler} | ({} if schedule == "normal" and i % 2 else {"schedule": schedule})
                found.append(case(f"{sampler}_{schedule}", "sd1", prompt=(i + j) % 5, steps=(5, 4, 7, 6)[(i + j) % 4], **asked))
        for steps in (1, 2, 10, 16):
            found.append(case(f"{sampler}_{steps}_steps", "sd1", prompt=i % 5, size=(16, 16), steps=steps, sampler=sampler))
    return found


def image_cases(model, wide, samplers, strengths=(0.6,), **more):
    """Image to image."""
    found = []
    for i, sampler in enumerate(samplers):
        for strength in strengths:
            size = (40, 24) if wide and i % 2 else (24, 24)
            name = f"image_{sampler or 'own'}_{strength}"
            asked = {"sampler": sampler} if sampler else {}
            found.append(case(name, model, prompt=i % 5, size=size, steps=8, init=f"@init_{size[0]}x{size[1]}.png", strength=strength, **asked, **more))
    return found


def mask_cases(model, samplers=("ddim", "euler_a", "dpmpp_2m"), strengths=(1.0, 0.6)):
    return [case(f"mask_{sampler}_{strength}", model, prompt=i % 5, steps=6, init="@init_24x24.png", mask="@mask_24x24.png", strength=strength, sampler=sampler)
            for i, sampler in enumerate(samplers) for strength in strengths]


def cases():
    found = sampler_cases()
    found += [
        case("own", "sd1", size=(56, 40)),
        case("count", "sd1", prompt=1, seed=41, count=2, sampler="euler_a"),
        case("largest_seed", "sd1", prompt=1, seed=2**63 + 5, sampler="ddim"),
        case("unguided", "sd1", prompt=2, guidance=1.0, sampler="euler", negative="blurry"),
        case("weak_guidance", "sd1", prompt=2, guidance=1.5, sampler="ddim"),
        case("negative", "sd1", prompt=2, sampler="euler", negative="blurry, café"),
        case("negative_empty", "sd1", prompt=2, seed=5, sampler="euler", negative=""),
        case("negative_absent", "sd1", prompt=3, seed=5, sampler="euler"),
        case("empty_prompt", "sd1", prompt="", sampler="euler", negative="fog"),
        case("rescale", "sd1", prompt=3, guidance=9.0, sampler="ddim", guidance_rescale=0.7),
        case("rescale_euler", "sd1", prompt=3, guidance=9.0, sampler="euler", guidance_rescale=0.35, size=(40, 24)),
        case("clip_skip_1", "sd1", prompt=4, sampler="euler", clip_skip=1),
        case("clip_skip_2", "sd1", prompt=4, sampler="euler", clip_skip=2, negative="fog"),
        case("tall", "sd1", prompt=0, size=(16, 56), sampler="dpmpp_2m", schedule="karras"),
    ]
    found += image_cases("sd1", True, ["ddim", "ddpm", "euler", "euler_a", "heun", "dpm2", "dpm2_a", "pndm", "lms", "lcm", "tcd", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2s", "dpmpp_3m", "unipc", "deis"])
    found += image_cases("sd1", False, ["ddim", "euler", "heun", "dpm2", "pndm", "lcm", "dpmpp_2m"], (0.2, 1.0))
    found += [case("image_karras", "sd1", steps=6, init="@init_24x24.png", strength=0.7, sampler="dpmpp_2m", schedule="karras"),
              case("image_count", "sd1", steps=6, init="@init_24x24.png", sampler="euler_a", count=2)]
    found += mask_cases("sd1", ("ddim", "euler_a", "dpmpp_2m", "heun", "pndm", "lcm"))
    found += mask_cases("sd1_inpaint")
    found += [case("mask_own", "sd1_inpaint", size=(40, 24), init="@init_40x24.png", mask="@mask_40x24.png", strength=1.0, negative="fog"),
              case("mask_unguided", "sd1_inpaint", guidance=1.0, init="@init_24x24.png", mask="@mask_24x24.png", strength=0.9, sampler="euler")]
    for guidance in (1.0, 1.5, 8.0):
        found.append(case(f"own_{guidance}", "sd1_lcm", prompt=1, steps=4, guidance=guidance, seed=11))
    found += [case("one_step", "sd1_lcm", prompt=2, steps=1, guidance=8.0)]
    found += image_cases("sd1_lcm", False, [None], (0.5,))
    found += [case(f"own_{steps}", "sd1_turbo", prompt=steps, steps=steps, guidance=1.0) for steps in (1, 2, 4)]
    found += [case("image", "sd1_turbo", steps=4, guidance=1.0, init="@init_24x24.png", strength=0.5)]
    found += [
        case("own", "sd2", size=(40, 56)),
        case("negative_empty", "sd2", prompt=1, negative=""),
        case("clip_skip", "sd2", prompt=2, clip_skip=1, sampler="euler"),
        case("unguided", "sd2", prompt=2, guidance=1.0),
        case("rescale", "sd2", prompt=3, guidance=9.0, guidance_rescale=0.7),
    ]
    found += [case(f"{sampler}_{schedule}", "sd2", prompt=1, sampler=sampler, schedule=schedule)
              for sampler, schedule in [("euler", "karras"), ("euler_a", "normal"), ("dpmpp_2m", "normal"), ("dpmpp_2m_sde", "karras"), ("unipc", "normal"), ("heun", "normal"), ("pndm", "normal"),
                                        ("lms", "normal"), ("ddpm", "normal"), ("dpm2_a", "normal"), ("deis", "normal"), ("dpmpp_2s", "beta"), ("lcm", "normal"), ("tcd", "normal"), ("dpmpp_3m", "sgm_uniform")]]
    found += image_cases("sd2", True, [None, "euler_a"])
    found += mask_cases("sd2", ("ddim",), (0.6,))
    found += [case(f"{sampler}", "sd2_zsnr", prompt=1, sampler=sampler, guidance=6.0, guidance_rescale=0.7) for sampler in ("ddim", "ddpm", "euler", "euler_a", "unipc", "dpmpp_2m", "deis", "lcm")]
    found += [case("image", "sd2_zsnr", steps=6, init="@init_24x24.png", strength=0.7)]
    found += [
        case("own", "sdxl", size=(40, 56)),
        case("count", "sdxl", prompt=1, seed=9, count=2),
        case("own_karras", "sdxl", prompt=1, schedule="karras"),
        case("negative_absent", "sdxl", prompt=2, seed=77),
        case("negative_empty", "sdxl", prompt=2, seed=77, negative=""),
        case("negative", "sdxl", prompt=2, seed=77, negative="blurry, café"),
        case("unguided", "sdxl", prompt=3, guidance=1.0),
        case("rescale", "sdxl", prompt=3, guidance=9.0, guidance_rescale=0.7, sampler="ddim"),
        case("clip_skip", "sdxl", prompt=4, clip_skip=1),
        case("clip_skip_negative", "sdxl", prompt=4, clip_skip=1, negative="fog"),
    ]
    found += [case(f"{sampler}_{schedule}", "sdxl", prompt=2, sampler=sampler, schedule=schedule)
              for sampler, schedule in [("ddim", "normal"), ("euler_a", "normal"), ("dpmpp_2m", "karras"), ("dpmpp_2m_sde", "karras"), ("unipc", "normal"), ("heun", "normal"), ("lcm", "normal")]]
    found += image_cases("sdxl", True, [None, "dpmpp_2m", "ddim"], (0.6, 0.3))
    found += mask_cases("sdxl")
    found += mask_cases("sdxl_inpaint")
    found += [case("mask_own", "sdxl_inpaint", size=(40, 24), init="@init_40x24.png", mask="@mask_40x24.png", strength=0.99)]
    found += image_cases("sdxl_refiner", True, [None, "dpmpp_2m", "ddim"], (0.3,))
    found += [case("image_negative", "sdxl_refiner", prompt=2, steps=8, init="@init_24x24.png", strength=0.5, negative=""),
              case("image_unguided", "sdxl_refiner", prompt=2, steps=8, guidance=1.0, init="@init_24x24.png", strength=0.5)]
    for model, samplers in (("sd1_ddim", ("ddpm", "pndm", "heun")), ("sd1_runge_kutta", ("ddim", "ddpm", "lcm"))):
        found += [case("own", model, steps=8)]
        found += [case(f"{sampler}_normal", model, prompt=1, steps=8, sampler=sampler) for sampler in samplers]
        found += image_cases(model, False, [None, samplers[0]])
        found += [case("mask_own", model, prompt=3, steps=6, init="@init_24x24.png", mask="@mask_24x24.png", strength=1.0)]
        found += mask_cases(model, samplers, (0.6,))
    return found
