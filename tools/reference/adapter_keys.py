"""Writes inference/tests/data/adapters/kohya_keys.txt: the modules of Stable Diffusion 1.5 and XL and their keys in kohya's files.

The modules are those of diffusers' and transformers' networks (on the meta device), the keys those of the networks that kohya-ss trains; that the two
belong together is what diffusers' own conversion of LoRA files says. Needs torch, diffusers and transformers.
"""
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders import lora_conversion_utils as conversion
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers, convert_state_dict_to_peft, convert_unet_state_dict_to_peft
from transformers import CLIPTextConfig, CLIPTextModel

OUT = Path(__file__).resolve().parents[2] / "inference/tests/data/adapters"


def layers(network):
    return [name for name, layer in network.named_modules() if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d))]


def xl_names():
    """The modules of the U-Net of generative-models' sd_xl_base.yaml, as kohya-ss sees them."""
    resnet = ["in_layers.2", "emb_layers.1", "out_layers.3"]
    attention = [f"attn{i}.to_{kind}" for i in (1, 2) for kind in ("q", "k", "v", "out.0")] + ["ff.net.0.proj", "ff.net.2"]
    names = ["time_embed.0", "time_embed.2", "label_emb.0.0", "label_emb.0.2", "input_blocks.0.0", "out.2"]

    def add(block, depth, skip):
        names.extend(f"{block}.0.{name}" for name in resnet + ["skip_connection"] * skip)
        if depth:
            names.extend(f"{block}.1.{name}" for name in ["proj_in", "proj_out"] + [f"transformer_blocks.{i}.{name}" for i in range(depth) for name in attention])

    for block, depth, skip in ((1, 0, 0), (2, 0, 0), (4, 2, 1), (5, 2, 0), (7, 10, 1), (8, 10, 0)):
        add(f"input_blocks.{block}", depth, skip)
    names.extend(["input_blocks.3.0.op", "input_blocks.6.0.op", "output_blocks.2.2.conv", "output_blocks.5.2.conv"])
    names.extend(f"middle_block.{i}.{name}" for i in (0, 2) for name in resnet)
    names.extend(f"middle_block.1.{name}" for name in ["proj_in", "proj_out"] + [f"transformer_blocks.{i}.{name}" for i in range(10) for name in attention])
    for block in range(9):
        add(f"output_blocks.{block}", (10, 2, 0)[block // 3], 1)
    return names


def names():
    """A line for each module: how much of the line before its name begins with, the rest, and the same of its key."""
    with torch.device("meta"):
        sd15 = UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
        base = UNet2DConditionModel(
            sample_size=128, block_out_channels=(320, 640, 1280), cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"), transformer_layers_per_block=(1, 2, 10),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), addition_embed_type="text_time", addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
        clip_l = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12))
        clip_g = CLIPTextModel(CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20))
    end = ".lora_down.weight"
    groups = {"sd15 unet": (layers(sd15), ["lora_unet_" + name.replace(".", "_") for name in layers(sd15)])}
    groups["xl unet"] = (layers(base), ["lora_unet_" + name.replace(".", "_") for name in xl_names()])
    for group, network in (("sd15 te", clip_l), ("xl te1", clip_l), ("xl te2", clip_g)):
        prefix = "lora_" + group.split()[1] + "_text_model_"
        groups[group] = (layers(network), [prefix + name.replace("text_model.", "").replace(".", "_") for name in layers(network)])
    lines, before = [], ("", "")
    for group, (modules, keys) in groups.items():
        lines.append("= " + group)
        state = {key + end: torch.zeros(1, device="meta") for key in keys}
        if group == "xl unet":
            state = conversion._maybe_map_sgm_blocks_to_diffusers(dict(zip(state, state)), base.config)
            state = {value: key for key, value in state.items()}
        else:
            state = {key: key for key in state}
        found = {}
        for original, mapped in state.items():
            if "unet" in group:
                name = next(iter(convert_unet_state_dict_to_peft({conversion._convert_unet_lora_key(mapped): 0})))
            else:
                name = conversion._convert_text_encoder_lora_key(mapped, mapped.split(".")[0])
                name = {name: 0, "to_out_lora": 0}  # the second name tells the format
                name = next(iter(convert_state_dict_to_peft(convert_state_dict_to_diffusers(name))))
                name = name.replace(".lora_linear_layer.down.weight", ".lora_A.weight").removeprefix("text_model.")
            found[name.removesuffix(".weight").removesuffix(".lora_A").removesuffix(".lora.down")] = original.removesuffix(end)
        modules = [name.removeprefix("text_model.") for name in modules]
        assert sorted(found) == sorted(modules), (group, sorted(set(found) - set(modules))[:5], sorted(set(modules) - set(found))[:5])
        for line in sorted(found.items()):
            shared = [len(common(*texts)) for texts in zip(before, line)]
            lines.append(f"{shared[0]} {line[0][shared[0]:]} {shared[1]} {line[1][shared[1]:]}")
            before = line
    (OUT / "kohya_keys.txt").write_text("\n".join(lines) + "\n")


def common(first, second):
    n = next((i for i, (a, b) in enumerate(zip(first, second)) if a != b), min(len(first), len(second)))
    return first[:n]


if __name__ == "__main__":
    names()
