"""Tiny models of every family whose weights are made from a recipe, so that a repository need not hold them.

A recipe names each tensor with its shape, an offset and a scale; value i of the k-th tensor (by name) of a part is
offset + scale * u, with u in (-1, 1) from a hash of (seed, k, i): see `values`. Only what is fitted to data is stored.
"""
import json
import shutil
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from safetensors.torch import save_file

N_MERGES = 400
SD_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "trained_betas": None}
PNDM = {"_class_name": "PNDMScheduler", **SD_BETAS, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "clip_sample": False}
DDIM_V = {"_class_name": "DDIMScheduler", **SD_BETAS, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
          "clip_sample": False, "prediction_type": "v_prediction"}
EULER_XL = {"_class_name": "EulerDiscreteScheduler", **SD_BETAS, "clip_sample": False, "interpolation_type": "linear", "prediction_type": "epsilon",
            "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "leading",
            "use_karras_sigmas": False}
LCM = {"_class_name": "LCMScheduler", **SD_BETAS, "clip_sample": False, "clip_sample_range": 1.0, "original_inference_steps": 50,
       "prediction_type": "epsilon", "set_alpha_to_one": False, "steps_offset": 1, "timestep_scaling": 10.0, "timestep_spacing": "leading"}
TURBO = {"_class_name": "EulerAncestralDiscreteScheduler", **SD_BETAS, "clip_sample": False, "prediction_type": "epsilon", "set_alpha_to_one": False,
         "skip_prk_steps": True, "steps_offset": 1, "timestep_spacing": "trailing"}

UNET_1 = dict(sample_size=8, block_out_channels=(64, 128), norm_num_groups=32, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
              up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=1, attention_head_dim=8, cross_attention_dim=64)
UNET_2 = dict(sample_size=8, block_out_channels=(64, 128), norm_num_groups=32, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
              up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=1, attention_head_dim=[4, 8], use_linear_projection=True,
              cross_attention_dim=64)
UNET_XL = dict(sample_size=8, block_out_channels=(64, 128), norm_num_groups=32, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
               up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), layers_per_block=1, attention_head_dim=[4, 8], use_linear_projection=True,
               transformer_layers_per_block=[1, 2], cross_attention_dim=192, addition_embed_type="text_time", addition_time_embed_dim=256,
               projection_class_embeddings_input_dim=128 + 6 * 256)
UNET_REFINER = UNET_XL | dict(cross_attention_dim=128, projection_class_embeddings_input_dim=128 + 5 * 256)
VAE = dict(block_out_channels=(32, 32, 64), norm_num_groups=32, down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
           layers_per_block=1, latent_channels=4, sample_size=32, scaling_factor=0.18215)
# A factor of eight, as published models have, so that sizes give odd latents.
VAE_8 = VAE | dict(block_out_channels=(32, 32, 32, 64), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
VAE_XL = VAE | dict(scaling_factor=0.13025)
TEXT = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4, projection_dim=64)
TEXT_1 = TEXT | dict(hidden_act="quick_gelu")
TEXT_2 = TEXT | dict(hidden_act="gelu")
TEXT_G = dict(hidden_act="gelu", hidden_size=128, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, projection_dim=128)

SD, XL = "StableDiffusionPipeline", "StableDiffusionXLPipeline"
# Parts are configurations, or the name of the family whose part it is; "extra" goes into model_index.json.
FAMILIES = {
    "sd1": dict(pipeline=SD, unet=UNET_1, vae=VAE, text_encoder=TEXT_1, schedule=PNDM),
    "sd1_inpaint": dict(pipeline="StableDiffusionInpaintPipeline", unet=UNET_1 | dict(in_channels=9), vae="sd1", text_encoder="sd1", schedule=PNDM),
    "sd1_lcm": dict(pipeline="LatentConsistencyModelPipeline", unet=UNET_1 | dict(time_cond_proj_dim=32), vae="sd1", text_encoder="sd1", schedule=LCM),
    "sd1_turbo": dict(pipeline=SD, unet="sd1", vae="sd1", text_encoder="sd1", schedule=TURBO),
    "sd1_vae": dict(pipeline=SD, unet="sd1", vae=VAE, text_encoder="sd1", schedule=PNDM),
    "sd2": dict(pipeline=SD, unet=UNET_2, vae=VAE_8, text_encoder=TEXT_2, schedule=DDIM_V, pad="!"),
    "sd2_zsnr": dict(pipeline=SD, unet="sd2", vae="sd2", text_encoder="sd2", pad="!",
                     schedule=DDIM_V | dict(timestep_spacing="trailing", rescale_betas_zero_snr=True)),
    "sdxl": dict(pipeline=XL, unet=UNET_XL, vae=VAE_XL, text_encoder=TEXT_1, text_encoder_2=TEXT_G, schedule=EULER_XL, extra=dict(force_zeros_for_empty_prompt=True)),
    "sdxl_inpaint": dict(pipeline="StableDiffusionXLInpaintPipeline", unet=UNET_XL | dict(in_channels=9), vae="sdxl", text_encoder="sdxl", text_encoder_2="sdxl",
                         schedule=EULER_XL, extra=dict(force_zeros_for_empty_prompt=True, requires_aesthetics_score=False)),
    "sdxl_refiner": dict(pipeline="StableDiffusionXLImg2ImgPipeline", unet=UNET_REFINER, vae="sdxl", text_encoder=None, text_encoder_2="sdxl", schedule=EULER_XL,
                         extra=dict(force_zeros_for_empty_prompt=False, requires_aesthetics_score=True)),
    # Configurations as they were first published, which the pipelines of Stable Diffusion 1 and 2 rewrite, each in its own way.
    "sd1_ddim": dict(pipeline=SD, unet="sd1", vae="sd1", text_encoder="sd1", schedule={"_class_name": "DDIMScheduler", **SD_BETAS}),
    "sd1_runge_kutta": dict(pipeline=SD, unet="sd1", vae="sd1", text_encoder="sd1",
                            schedule={"_class_name": "PNDMScheduler", **SD_BETAS, "skip_prk_steps": False, "steps_offset": 0, "clip_sample": True}),
}
NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")


def values(seed, index, n):
    """n numbers in (-1, 1): the finaliser of splitmix64 on a counter, its top 24 bits."""
    with np.errstate(over="ignore"):
        z = (np.uint64(seed << 48 | index << 32) + np.arange(n, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) + 0.5) / 2**23 - 1.0


def tensors(recipe):
    """The tensors of one part of a recipe, float32."""
    made = {}
    for index, (name, (offset, scale, *shape)) in enumerate(sorted(recipe["tensors"].items())):
        made[name] = torch.from_numpy((offset + scale * values(recipe["seed"], index, int(np.prod(shape)))).astype(np.float32).reshape(shape))
    return made


def rule(name, shape):
    """Offset and scale that let signals through at about their own size, with attention that picks tokens."""
    last = name.rsplit(".", 1)[-1]
    if "norm" in name or "layer_norm" in name:
        return (1.0, 0.2) if last == "weight" else (0.0, 0.2)
    if last == "bias":
        return 0.0, 0.1
    if "token_embedding" in name:
        return 0.0, 1.0
    if "position_embedding" in name:
        return 0.0, 0.5
    fan_in = int(np.prod(shape[1:]))
    gain = 1.7 if any(part in name for part in ("to_q.", "to_k.", "q_proj.", "k_proj.")) else 1.0
    if "time_emb_proj" in name or "cond_proj" in name:
        gain = 3.0
    # What a block adds is smaller than what it passes on, so that a U-Net's last layer can still see its input.
    if len(shape) == 4 and ".conv2." in name or "proj_out." in name:
        gain = 0.4
    return 0.0, float(f"{gain * (3 / fan_in) ** 0.5:.4g}")


def network(part, config):
    if part == "unet":
        return diffusers.UNet2DConditionModel(**config)
    if part == "vae":
        return diffusers.AutoencoderKL(**config)
    vocab = 512 + N_MERGES + 2
    # The files of Stable Diffusion XL say 2 for the end, and mean the largest id.
    settings = transformers.CLIPTextConfig(**config, vocab_size=vocab, bos_token_id=vocab - 2, eos_token_id=2 if part == "text_encoder_2" else vocab - 1,
                                           pad_token_id=1 if part == "text_encoder" else 0)
    return (transformers.CLIPTextModelWithProjection if part == "text_encoder_2" else transformers.CLIPTextModel)(settings)


def tokenizer(source, folder):
    """A small vocabulary with CLIP's layout: bytes, bytes at a word's end, merges, start, end. For `pad` see `finish_tokenizer`."""
    merges = (source / "merges.txt").read_text().splitlines()[1 : N_MERGES + 1]
    from transformers.convert_slow_tokenizer import bytes_to_unicode
    letters = list(bytes_to_unicode().values())
    words = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split()) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}, ensure_ascii=False, separators=(",", ":")))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")


def finish_tokenizer(shared, folder, pad):
    """Copies the shared vocabulary and says what fills a prompt up."""
    shutil.copytree(shared, folder, dirs_exist_ok=True)
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": pad, "unk_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(json.dumps(special | dict(do_lower_case=True, model_max_length=77, tokenizer_class="CLIPTokenizer", add_prefix_space=False, errors="replace")))


def part_file(part):
    return "model.safetensors" if part.startswith("text") else "diffusion_pytorch_model.safetensors"


def build(name, data, work):
    """Writes the family's small files under `data` and its whole folder under `work`."""
    family, small, whole = FAMILIES[name], data / name, work / name
    shutil.rmtree(whole, ignore_errors=True)
    small.mkdir(parents=True, exist_ok=True)
    index = {"_class_name": family["pipeline"], "_diffusers_version": diffusers.__version__, **family.get("extra", {})}
    is_xl = "text_encoder_2" in family
    if not is_xl:
        index |= {"feature_extractor": [None, None], "safety_checker": [None, None], "requires_safety_checker": False}
    recipes = {}
    for number, part in enumerate(NETWORKS):
        config = family.get(part)
        if config is None:
            if is_xl:
                index |= {part: [None, None], part.replace("text_encoder", "tokenizer"): [None, None]}
            continue
        if isinstance(config, str):
            recipes[part] = config
            for folder in (small, whole):
                (folder / part).mkdir(parents=True, exist_ok=True)
                shutil.copy(data / config / part / "config.json", folder / part / "config.json")
            shutil.copy(work / config / part / part_file(part), whole / part / part_file(part))
            net = None
            index[part] = json.loads((work / config / "model_index.json").read_text())[part]
        else:
            net = network(part, config)
            net.save_pretrained(whole / part)
            shapes = {key: list(tensor.shape) for key, tensor in net.state_dict().items() if "position_ids" not in key}
            # The published files of Stable Diffusion have this prefix; newer libraries write CLIPTextModel without it. Both occur here.
            if part == "text_encoder" and name == "sd1":
                shapes = {f"text_model.{key.removeprefix('text_model.')}": shape for key, shape in shapes.items()}
            recipes[part] = {"seed": list(FAMILIES).index(name) * 8 + number + 1, "tensors": {key: [*rule(key, shape), *shape] for key, shape in shapes.items()}}
            config_file = whole / part / "config.json"
            settings = {key: value for key, value in json.loads(config_file.read_text()).items() if key != "_name_or_path"}
            (small / part).mkdir(exist_ok=True)
            (small / part / "config.json").write_text(json.dumps(settings, separators=(",", ":")) + "\n")
            index[part] = ["transformers" if part.startswith("text") else "diffusers", type(net).__name__]
            save_file(tensors(recipes[part]), whole / part / part_file(part), {"format": "pt"})
        if part.startswith("text"):
            token = part.replace("text_encoder", "tokenizer")
            index[token] = ["transformers", "CLIPTokenizer"]
            pad = family.get("pad", "!" if part.endswith("_2") else "<|endoftext|>")
            (small / token).mkdir(exist_ok=True)
            finish_tokenizer(data / "tokenizer", whole / token, pad)
            for file in ("special_tokens_map.json", "tokenizer_config.json"):
                shutil.copy(whole / token / file, small / token / file)
    index["scheduler"] = ["diffusers", family["schedule"]["_class_name"]]
    for folder in (small, whole):
        (folder / "scheduler").mkdir(exist_ok=True)
        (folder / "scheduler/scheduler_config.json").write_text(json.dumps(family["schedule"], indent=1) + "\n")
        (folder / "model_index.json").write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")
    write_recipe(small, recipes)
    return recipes


def write_recipe(small, recipes):
    """One line for each tensor."""
    lines = []
    for part, recipe in recipes.items():
        if isinstance(recipe, str):
            lines.append(f"{json.dumps(part)}: {json.dumps(recipe)}")
            continue
        rows = ",\n".join(f"{json.dumps(key)}:{json.dumps(row, separators=(',', ':'))}" for key, row in sorted(recipe["tensors"].items()))
        lines.append(f'{json.dumps(part)}: {{"seed": {recipe["seed"]}, "tensors": {{\n{rows}}}}}')
    (small / "weights.json").write_text("{" + ",\n".join(lines) + "}\n")
