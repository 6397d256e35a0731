"""Writes the first inputs of every fuzz target: `python make_corpus.py` in this folder. Needs Pillow for JPEG and WebP."""

import json

from corpus_files import CORPUS, save
from corpus_pictures import metadata, picture
from corpus_weights import adapter, embedding, upscaler, weights


def prompt():
    for name, text in {
        "plain": "a fox in snow", "empty": "", "weights": "(a fox:1.3), [snow], ((trees)), (wind:-0.5)", "break": "a fox BREAK in snow BREAK",
        "escaped": r"a fox \(red\) \[x\] \\ \a", "unclosed": "((((a fox", "closed": "a fox))))]]", "brackets": "(" * 1500 + "fox" + ")" * 1500,
        "square": "[" * 1500 + "fox", "mixed": "([" * 800 + "fox" + ")]" * 800, "lora": "<lora:ink:0.8> a fox <lyco:b:te=0.5:unet=1>",
        "lora_open": "<lora:" * 600, "lora_bad": "<lora:ink:1e999> <lora:x:NaN> <lora::1> <lora:a:101>", "colons": ":" * 2000,
        "weight_large": "(fox:1000000000)", "weight_max": "(fox:99999999999999999999999999999999999999.9)", "weight_dots": "(fox:1.2.3) (fox:.) (fox:+) (fox:-.5)",
        "backslashes": "\\" * 2001, "breaks": "BREAK " * 500, "break_inside": "(BREAK:1.5) xBREAK BREAKy BREAKBREAK", "unicode": "狐🦊é\u0301\u200d(ß:1.1)İ",
        "schedules": "[red:green:0.5] [red::5] [a:[b|c]:-1e3] [3:30] [" + "a:" * 500 + "0.5]", "alternations": "[a|b||c] {a|b} " + "[|" * 800 + "]" * 800,
        "tags": "<hypernet:a:1> <LORA:x> <" + "t:" * 500 + "> <:a:1> <a:b:1>", "wildcards": "__a/b*__ " + "__a" * 700 + " AND " * 200,
        "nested_weights": "(a (b (c:9):9):9)" * 50, "spaces": "(a :  1.5   )" + " " * 1000,
    }.items():
        save("prompt", name, text)
    save("prompt", "not_utf8", b"(a \xff\xfe:1.2) \x80")
    save("prompt", "zeros", b"\0" * 300)


def scheduler():
    base = {"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
            "skip_prk_steps": True, "steps_offset": 1, "prediction_type": "epsilon", "timestep_spacing": "leading"}
    changes = {
        "sd1": {}, "two_timesteps": {"num_train_timesteps": 2}, "one_timestep": {"num_train_timesteps": 1}, "many_timesteps": {"num_train_timesteps": 10**18},
        "zero_snr": {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"},
        "clipped": {"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": 1e300, "timestep_spacing": "trailing"},
        "clipped_all": {"lambda_min_clipped": -5.1, "timestep_spacing": "trailing", "num_train_timesteps": 50},
        "betas": {"trained_betas": [0.1, 0.2, 0.3]}, "betas_odd": {"trained_betas": [-5.0, 2.0, 1e39, 1.0]}, "betas_none": {"trained_betas": []},
        "betas_and_no_timesteps": {"trained_betas": [0.1, 0.2], "num_train_timesteps": 0, "use_flow_sigmas": True},
        "beta_negative": {"beta_start": -1.0, "beta_end": 1e308}, "offset": {"steps_offset": -(2**63)}, "offset_large": {"steps_offset": 2**63 - 1},
        "sigmas": {"use_karras_sigmas": True, "sigma_min": -1.0, "sigma_max": 0.0}, "sigmas_zero": {"use_exponential_sigmas": True, "sigma_min": 0, "sigma_max": 0},
        "beta_sigmas": {"use_beta_sigmas": True, "final_sigmas_type": "sigma_min"}, "order": {"solver_order": 0}, "order_three": {"solver_order": 3, "algorithm_type": "sde-dpmsolver++"},
        "flow": {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 0.0, "shift_terminal": 1.0},
        "flow_by_size": {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True},
        "flow_shift": {"use_flow_sigmas": True, "flow_shift": -3.0, "shift_terminal": 0.1}, "lcm": {"_class_name": "LCMScheduler", "original_inference_steps": 0},
        "lcm_many": {"_class_name": "LCMScheduler", "original_inference_steps": 2**63}, "lu": {"use_lu_lambdas": True}, "log_linear": {"interpolation_type": "log_linear"},
        "continuous": {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous", "prediction_type": "v_prediction"},
        "corrector": {"_class_name": "UniPCMultistepScheduler", "disable_corrector": [0, 2**63], "solver_type": "bh1"}, "unknown_class": {"_class_name": "KarrasVe\n\x1b[0m"},
        "unknown_word": {"timestep_spacing": "sideways\nand up"}, "runge_kutta": {"skip_prk_steps": False, "num_train_timesteps": 9}, "no_class": {"_class_name": None},
        "large_variance": {"_class_name": "DDPMScheduler", "variance_type": "fixed_large", "thresholding": True, "sample_max_value": -1.0},
    }
    for name, change in changes.items():
        save("scheduler", name, json.dumps({**base, **change}))
    save("scheduler", "empty", "")
    save("scheduler", "array", "[1]")
    save("scheduler", "no_keys", "{}")
    save("scheduler", "infinite", '{"_class_name": "DDIMScheduler", "lambda_min_clipped": -Infinity, "sigma_max": Infinity}')
    save("scheduler", "deep", '{"trained_betas":' + "[" * 1000)
    save("scheduler", "cut_off", json.dumps(base)[:90])
    save("scheduler", "twice", '{"num_train_timesteps": 5, "num_train_timesteps": 6}')
    save("scheduler", "text_for_number", '{"num_train_timesteps": "a\\nb"}')


for make in [weights, adapter, embedding, upscaler, prompt, scheduler, picture, metadata]:
    make()
files = [path for path in CORPUS.rglob("*") if path.is_file()]
print(f"{len(files)} files, {sum(path.stat().st_size for path in files)} bytes")
