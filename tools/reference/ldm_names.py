"""Single files: what ldm and sgm call the tensors of a model's folder, as tables that `bot/tests/parity/single_file.rs` applies.

A table has `modules` (prefixes; the longest that fits is replaced), `leaves` (ends of names), `convolutions` (matrices that become 1x1 convolutions) and
`transposed`. Tensors that get the same name are put one below the other, in the order of `leaves`.
"""
import torch
from diffusers.loaders import single_file_utils

RESNET = [["norm1.", "in_layers.0."], ["conv1.", "in_layers.2."], ["time_emb_proj.", "emb_layers.1."], ["norm2.", "out_layers.0."], ["conv2.", "out_layers.3."],
          ["conv_shortcut.", "skip_connection."]]
VAE_LEAVES = [["conv_shortcut.", "nin_shortcut."], ["group_norm.", "norm."], ["to_q.", "q."], ["to_k.", "k."], ["to_v.", "v."], ["to_out.0.", "proj_out."]]
OPEN_CLIP_LEAVES = [["layer_norm1.", "ln_1."], ["layer_norm2.", "ln_2."], ["mlp.fc1.", "mlp.c_fc."], ["mlp.fc2.", "mlp.c_proj."], ["self_attn.out_proj.", "attn.out_proj."],
                    *[[f"self_attn.{which}_proj.{kind}", f"attn.in_proj_{kind}"] for kind in ("weight", "bias") for which in "qkv"]]


def unet(config):
    """Names below `model.diffusion_model.`."""
    n, layers = len(config["block_out_channels"]), config["layers_per_block"]
    modules = [["time_embedding.linear_1.", "time_embed.0."], ["time_embedding.linear_2.", "time_embed.2."], ["add_embedding.linear_1.", "label_emb.0.0."],
               ["add_embedding.linear_2.", "label_emb.0.2."], ["conv_in.", "input_blocks.0.0."], ["conv_norm_out.", "out.0."], ["conv_out.", "out.2."],
               ["mid_block.resnets.0.", "middle_block.0."], ["mid_block.attentions.0.", "middle_block.1."], ["mid_block.resnets.1.", "middle_block.2."]]
    number = 1
    for i, kind in enumerate(config["down_block_types"]):
        for j in range(layers):
            modules.append([f"down_blocks.{i}.resnets.{j}.", f"input_blocks.{number}.0."])
            if "CrossAttn" in kind:
                modules.append([f"down_blocks.{i}.attentions.{j}.", f"input_blocks.{number}.1."])
            number += 1
        if i + 1 < n:
            modules.append([f"down_blocks.{i}.downsamplers.0.conv.", f"input_blocks.{number}.0.op."])
            number += 1
    number = 0
    for i, kind in enumerate(config["up_block_types"]):
        for j in range(layers + 1):
            modules.append([f"up_blocks.{i}.resnets.{j}.", f"output_blocks.{number}.0."])
            if "CrossAttn" in kind:
                modules.append([f"up_blocks.{i}.attentions.{j}.", f"output_blocks.{number}.1."])
            if j == layers and i + 1 < n:
                modules.append([f"up_blocks.{i}.upsamplers.0.conv.", f"output_blocks.{number}.{2 if 'CrossAttn' in kind else 1}.conv."])
            number += 1
    return {"part": "unet", "prefix": "model.diffusion_model.", "modules": modules, "leaves": RESNET, "within": "resnets."}


def vae(config):
    n, layers = len(config["block_out_channels"]), config["layers_per_block"]
    modules = [[f"{way}.mid_block.{old}.", f"{way}.mid.{new}."] for way in ("encoder", "decoder")
               for old, new in (("resnets.0", "block_1"), ("attentions.0", "attn_1"), ("resnets.1", "block_2"))]
    modules += [[f"{way}.conv_norm_out.", f"{way}.norm_out."] for way in ("encoder", "decoder")]
    for i in range(n):
        modules += [[f"encoder.down_blocks.{i}.resnets.{j}.", f"encoder.down.{i}.block.{j}."] for j in range(layers)]
        modules += [[f"encoder.down_blocks.{i}.downsamplers.0.", f"encoder.down.{i}.downsample."]]
        modules += [[f"decoder.up_blocks.{i}.resnets.{j}.", f"decoder.up.{n - 1 - i}.block.{j}."] for j in range(layers + 1)]
        modules += [[f"decoder.up_blocks.{i}.upsamplers.0.", f"decoder.up.{n - 1 - i}.upsample."]]
    return {"part": "vae", "prefix": "first_stage_model.", "modules": modules, "leaves": VAE_LEAVES, "convolutions": ["to_q.weight", "to_k.weight", "to_v.weight", "to_out.0.weight"]}


def clip(part, prefix):
    """transformers' own names; `text_model.` is there whether or not the folder's file has it."""
    return {"part": part, "prefix": f"{prefix}text_model.", "modules": [["text_model.", ""]], "leaves": []}


def open_clip(part, prefix):
    modules = [["embeddings.position_embedding.weight", "positional_embedding"], ["embeddings.token_embedding.", "token_embedding."],
               ["encoder.layers.", "transformer.resblocks."], ["final_layer_norm.", "ln_final."]]
    modules += [["text_model." + old, new] for old, new in modules] + [["text_projection.weight", "text_projection"]]
    return {"part": part, "prefix": prefix, "modules": modules, "leaves": OPEN_CLIP_LEAVES, "transposed": ["text_projection.weight"]}


def tables(family):
    """The tables of a family's parts; `family` has the configurations themselves."""
    found = [unet(family["unet"]), vae(family["vae"])]
    first = family.get("text_encoder")
    if "text_encoder_2" not in family:
        is_clip = first["hidden_act"] == "quick_gelu"
        return found + [clip("text_encoder", "cond_stage_model.transformer.") if is_clip else open_clip("text_encoder", "cond_stage_model.model.")]
    if first:
        found.append(clip("text_encoder", "conditioner.embedders.0.transformer."))
    return found + [open_clip("text_encoder_2", f"conditioner.embedders.{1 if first else 0}.model.")]


def rename(name, table):
    """The name in the file and the leaf that was replaced."""
    fitting = max((pair for pair in table["modules"] if name.startswith(pair[0])), key=lambda pair: len(pair[0]), default=["", ""])
    rest = name[len(fitting[0]) :]
    leaf = None
    if table.get("within", "") in name:
        leaf = next((i for i, pair in enumerate(table["leaves"]) if pair[0] in rest), None)
    if leaf is not None:
        rest = rest.replace(*table["leaves"][leaf])
    return table["prefix"] + fitting[1] + rest, leaf


def converted(tensors, table):
    """A part's tensors as the file has them."""
    found = {}
    for name, tensor in tensors.items():
        new, leaf = rename(name, table)
        if any(name.endswith(end) for end in table.get("convolutions", [])):
            tensor = tensor[..., None, None]
        if any(name.endswith(end) for end in table.get("transposed", [])):
            tensor = tensor.T
        found.setdefault(new, []).append((leaf or 0, tensor))
    return {name: torch.cat([tensor for _, tensor in sorted(parts, key=lambda part: part[0])]).contiguous() for name, parts in found.items()}


def check(family, parts):
    """diffusers' converters must give the folder's tensors back. `parts` are its tensors and networks' configurations by part."""
    for table in tables(family):
        part, file = table["part"], converted(parts[table["part"]][0], table)
        want, config = parts[part]
        if part == "unet":
            back = single_file_utils.convert_ldm_unet_checkpoint(file, config)
        elif part == "vae":
            back = single_file_utils.convert_ldm_vae_checkpoint(file, config)
        elif "transformer" in table["prefix"]:
            back = {name.split("text_model.", 1)[1]: tensor for name, tensor in file.items()}
            want = {name.removeprefix("text_model."): tensor for name, tensor in want.items()}
        else:
            back = single_file_utils.convert_open_clip_checkpoint(config, file, prefix=table["prefix"])
            want = {name: tensor for name, tensor in want.items()}
            back = {name: tensor for name, tensor in back.items() if "position_ids" not in name}
            strip = lambda names: {name.removeprefix("text_model."): tensor for name, tensor in names.items()}
            want, back = strip(want), strip(back)
        assert set(back) == set(want), (part, sorted(set(back) ^ set(want))[:6])
        assert all(torch.equal(back[name], want[name]) for name in want), part
