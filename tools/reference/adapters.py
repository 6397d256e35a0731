"""Writes inference/tests/data/adapters/: tiny models, adapters of every format, the weights that they make, and the key names in use.

Needs torch, diffusers, transformers, peft and lycoris-lora (`pip install --no-deps lycoris-lora toml einops`).
What computed each expected file is named in its case: diffusers (load_lora_weights, set_adapters, fuse_lora) wherever it reads the format, LyCORIS'
modules (what their forward pass adds) for LoCon, LoHa, LoKr, norms and `dora_scale`, plain torch for the rest.
"""
import json
import sys
import warnings
from pathlib import Path

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.loaders import lora_conversion_utils as conversion
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers, convert_state_dict_to_peft, convert_unet_state_dict_to_peft
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

OUT = Path(__file__).resolve().parents[2] / "inference/tests/data/adapters"
warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.manual_seed(7)
CASES = []


def rand(*shape, scale=0.5):
    return torch.randn(*shape) * scale


def text_encoder(cls, width, **more):
    return cls(
        CLIPTextConfig(
            vocab_size=12, hidden_size=width, intermediate_size=width + 2, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=5, **more
        )
    )


def sd1():
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(4, 8), layers_per_block=1, cross_attention_dim=6, norm_num_groups=2, attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    return {"unet": unet, "text_encoder": text_encoder(CLIPTextModel, 6)}


def xl():
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(4, 8), layers_per_block=1, cross_attention_dim=12, norm_num_groups=2, attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True, transformer_layers_per_block=(1, 2), addition_embed_type="text_time", addition_time_embed_dim=2,
        projection_class_embeddings_input_dim=18,
    )
    second = text_encoder(CLIPTextModelWithProjection, 8, projection_dim=6)
    return {"unet": unet, "text_encoder": text_encoder(CLIPTextModel, 6), "text_encoder_2": second}


def flat(networks):
    return {f"{part}.{name}": value.detach().clone() for part, network in networks.items() for name, value in network.state_dict().items() if "position_ids" not in name}


BASE, MAKE = {}, {"sd1": sd1, "xl": xl}
for model, make in MAKE.items():
    BASE[model] = {name: (rand(*value.shape) + ("norm" in name)).half().float() for name, value in flat(make()).items()}


def pipeline(model):
    networks = MAKE[model]()
    for part, network in networks.items():
        network.load_state_dict({name[len(part) + 1 :]: value for name, value in BASE[model].items() if name.startswith(part + ".")}, strict=False)
    more = {name: None for name in ("vae", "tokenizer", "feature_extractor")}
    if model == "sd1":
        return StableDiffusionPipeline(**networks, **more, scheduler=EulerDiscreteScheduler(), safety_checker=None, requires_safety_checker=False)
    more.update(tokenizer_2=None, image_encoder=None)
    return StableDiffusionXLPipeline(**networks, **more, scheduler=EulerDiscreteScheduler(), add_watermarker=False)


def module(model, name):
    """A module of a fresh copy of the model, with its weights."""
    part, path = name.split(".", 1)
    return getattr(pipeline(model), part).get_submodule(path)


def write(name, model, files, expected, origin):
    """One case: adapters with their weights, and the tensors that they change."""
    expected = {key: value.detach().contiguous() for key, value in expected.items() if not torch.equal(value, BASE[model][key])}
    assert expected, name
    save_file(expected, OUT / f"{name}.expected.safetensors")
    CASES.append({"name": name, "model": model, "files": files, "n_changed": len(expected), "origin": origin})


def save(name, tensors, **metadata):
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, OUT / f"{name}.safetensors", metadata=metadata or None)
    return f"{name}.safetensors"


def by_diffusers(name, model, files, origin="diffusers: load_lora_weights, set_adapters, fuse_lora"):
    pipe = pipeline(model)
    names = [f"a{i}" for i in range(len(files))]
    for adapter, (file, _) in zip(names, files):
        if "bare" in file:
            pipe.unet.load_lora_adapter(str(OUT / file), prefix=None, adapter_name=adapter, weight_name=file, use_safetensors=True)
        else:
            pipe.load_lora_weights(str(OUT), weight_name=file, adapter_name=adapter)
    parts = [part for part in ("unet", "text_encoder", "text_encoder_2") if getattr(getattr(pipe, part, None), "peft_config", None)]
    for part in parts:
        network = getattr(pipe, part)
        chosen = [(adapter, weight) for adapter, (_, weight) in zip(names, files) if adapter in network.peft_config]
        for _, layer in network.named_modules():
            if isinstance(layer, BaseTunerLayer):
                layer.set_adapter([adapter for adapter, _ in chosen])
                for adapter, weight in chosen:
                    layer.set_scale(adapter, weight)
    pipe.fuse_lora(components=parts, adapter_names=None)
    expected = {}
    for part in parts:
        for path, layer in getattr(pipe, part).named_modules():
            if isinstance(layer, BaseTunerLayer):
                for kind, value in layer.get_base_layer().named_parameters():
                    expected[f"{part}.{path}.{kind}"] = value
    write(name, model, files, expected, origin)


def pair(weight, rank):
    """LoRA's two tensors for a weight."""
    down = rand(rank, *weight.shape[1:])
    return down, rand(weight.shape[0], rank, *[1] * (weight.dim() - 2))


UNET1 = [
    "unet.conv_in", "unet.down_blocks.0.attentions.0.proj_in", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0",
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj", "unet.down_blocks.0.downsamplers.0.conv", "unet.mid_block.resnets.1.conv1",
    "unet.up_blocks.1.resnets.1.time_emb_proj", "unet.up_blocks.1.resnets.0.conv_shortcut",
]
TEXT1 = ["text_encoder.encoder.layers.0.self_attn.q_proj", "text_encoder.encoder.layers.1.self_attn.out_proj", "text_encoder.encoder.layers.1.mlp.fc1"]
ATTN1 = [name for name in UNET1 if "attn" in name and ".to_" in name]
# transformers 5 has dropped the name that files have.
FILE = {"text_encoder.": "text_encoder.text_model.", "text_encoder_2.": "text_encoder_2.text_model."}


def in_file(name):
    for short, long in FILE.items():
        if name.startswith(short) and "text_projection" not in name:
            return name.replace(short, long, 1)
    return name


def kohya(name, te="lora_te_"):
    part, path = in_file(name).split(".", 1)
    return {"unet": "lora_unet_", "text_encoder": te, "text_encoder_2": "lora_te2_"}[part] + path.replace(".", "_")


def kohya_file(name, model, modules, rank, alpha, key):
    tensors = {}
    for path in modules:
        down, up = pair(BASE[model][path + ".weight"], rank)
        tensors |= {f"{key(path)}.lora_down.weight": down, f"{key(path)}.lora_up.weight": up, f"{key(path)}.alpha": torch.tensor(alpha)}
    return save(name, tensors)


def sd1_cases():
    file = kohya_file("kohya", "sd1", UNET1 + TEXT1, 2, 1.0, kohya)
    by_diffusers("kohya", "sd1", [[file, 0.8]])

    tensors = {}
    for path, rank in zip(ATTN1 + TEXT1[:1], (1, 2, 3, 2)):
        down, up = pair(BASE["sd1"][path + ".weight"], rank)
        tensors |= {f"{in_file(path)}.lora_A.weight": down, f"{in_file(path)}.lora_B.weight": up}
    save("peft_ranks", tensors)
    by_diffusers("peft_ranks", "sd1", [["peft_ranks.safetensors", 1.0]])

    for name, config in {
        "peft_alpha": {"r": 2, "lora_alpha": 6, "rank_pattern": {"to_k": 3}, "alpha_pattern": {"to_k": 1.5, "conv_in": 4}},
        "peft_rslora": {"r": 2, "lora_alpha": 4, "use_rslora": True},
        "peft_dora": {"r": 2, "lora_alpha": 3, "use_dora": True},
    }.items():
        pipe = pipeline("sd1")
        pipe.unet.add_adapter(LoraConfig(target_modules=["conv_in", "to_q", "to_k", "downsamplers.0.conv"], **config))
        pipe.text_encoder.add_adapter(LoraConfig(target_modules=["fc1", "q_proj"], **config))
        for network in (pipe.unet, pipe.text_encoder):
            for key, value in network.named_parameters():
                if "lora_" in key:
                    value.data = value.data * (1 + 0.3 * torch.rand_like(value)) if "magnitude" in key else rand(*value.shape)
        layers = {"unet": get_peft_model_state_dict(pipe.unet), "text_encoder": get_peft_model_state_dict(pipe.text_encoder)}
        if name == "peft_dora":
            layers["text_encoder"] = {}  # transformers 5.23 loses a text encoder's magnitudes ("UNEXPECTED")
        keep = [key for key in layers["unet"] if "down_blocks.0" in key or "conv_in" in key]
        layers["unet"] = {key: layers["unet"][key] for key in keep}
        layers["text_encoder"] = {"text_model." + key: value for key, value in layers["text_encoder"].items()}
        metadata = {part: getattr(pipe, part).peft_config["default"].to_dict() for part in layers}
        StableDiffusionPipeline.save_lora_weights(
            OUT, layers["unet"], layers["text_encoder"], weight_name=f"{name}.safetensors",
            unet_lora_adapter_metadata=metadata["unet"], text_encoder_lora_adapter_metadata=metadata["text_encoder"],
        )
        by_diffusers(name, "sd1", [[f"{name}.safetensors", 0.7]])

    def old(name, rename):
        tensors = {}
        for path in ATTN1 + TEXT1[:2]:
            down, up = pair(BASE["sd1"][path + ".weight"], 2)
            tensors |= {f"{rename(in_file(path))}.down.weight": down, f"{rename(in_file(path))}.up.weight": up}
        save(name, tensors)
        by_diffusers(name, "sd1", [[f"{name}.safetensors", 0.9]])

    def processors(path):
        path = path.replace(".to_out.0", ".to_out").replace("attn1.", "attn1.processor.").replace("attn2.", "attn2.processor.")
        return path.replace("q_proj", "to_q").replace("out_proj", "to_out") + "_lora"

    old("old_processors", processors)
    old("old_layers", lambda path: path + (".lora_linear_layer" if "text" in path else ".lora"))

    tensors = {}
    for path in ATTN1:
        down, up = pair(BASE["sd1"][path + ".weight"], 2)
        bare = processors(path.removeprefix("unet."))
        tensors |= {f"{bare}.down.weight": down, f"{bare}.up.weight": up}
    save("bare", tensors)
    by_diffusers("bare", "sd1", [["bare.safetensors", 1.0]], "diffusers: unet.load_lora_adapter(prefix=None), fuse_lora")
    by_diffusers("several", "sd1", [["kohya.safetensors", 0.5], ["peft_dora.safetensors", 0.7], ["old_layers.safetensors", -1.2]])




def xl_cases():
    block = "transformer_blocks.1"
    modules = {
        "unet.down_blocks.1.resnets.0.conv1": "input_blocks.3.0.in_layers.2", "unet.down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
        f"unet.down_blocks.1.attentions.0.{block}.attn1.to_q": f"input_blocks.3.1.{block}.attn1.to_q",
        f"unet.mid_block.attentions.0.{block}.attn2.to_v": f"middle_block.1.{block}.attn2.to_v",
        "unet.up_blocks.0.attentions.1.proj_in": "output_blocks.1.1.proj_in", "unet.up_blocks.0.upsamplers.0.conv": "output_blocks.1.2.conv",
        "unet.up_blocks.1.resnets.0.conv_shortcut": "output_blocks.2.0.skip_connection", "unet.time_embedding.linear_1": "time_embed.0",
        "unet.add_embedding.linear_2": "label_emb.0.2", "unet.conv_in": "input_blocks.0.0",
    }
    text = [f"text_encoder{n}.encoder.layers.1.{name}" for n, name in (("", "self_attn.k_proj"), ("", "self_attn.out_proj"), ("_2", "mlp.fc2"), ("_2", "self_attn.out_proj"))]
    text = [name if name + ".weight" in BASE["xl"] else in_file(name) for name in text]
    key = lambda path: "lora_unet_" + modules[path].replace(".", "_") if path in modules else kohya(path.replace("text_model.", ""), "lora_te1_")
    file = kohya_file("kohya_xl", "xl", [*modules, *text], 2, 1.0, key)
    by_diffusers("kohya_xl", "xl", [[file, 1.1]])

    tensors = {}
    for path in [f"unet.down_blocks.1.attentions.0.{block}.attn1.to_q", *text, "text_encoder_2.text_projection"]:
        down, up = pair(BASE["xl"][path + ".weight"], 2)
        name = in_file(path.replace("text_model.", ""))
        tensors |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    save("peft_xl", tensors)
    by_diffusers("peft_xl", "xl", [["peft_xl.safetensors", 1.0]])

    # OpenCLIP keeps queries, keys and values in one matrix.
    tensors, expected = {}, {}
    layer = text[3].removesuffix(".self_attn.out_proj")
    attention = [BASE["xl"][f"{layer}.self_attn.{kind}_proj.weight"] for kind in "qkv"]
    for path, name, weight in (("attn_in_proj", None, torch.cat(attention)), ("mlp_c_fc", "mlp.fc1", BASE["xl"][f"{layer}.mlp.fc1.weight"])):
        down, up = pair(weight, 2)
        stem = f"lora_te2_transformer_resblocks_1_{path}"
        tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(4.0)}
        changed = weight + 0.5 * (4.0 / 2) * (up @ down)
        names = [name] if name else [f"self_attn.{kind}_proj" for kind in "qkv"]
        expected |= {f"{layer}.{name}.weight": value for name, value in zip(names, changed.chunk(len(names)))}
    save("open_clip", tensors)
    write("open_clip", "xl", [["open_clip.safetensors", 0.5]], expected, "torch")


def lycoris(name, weight, specs, prefix="lora_unet_"):
    """Modules of LyCORIS: what their forward pass (not get_merged_weight, which scales LoHa and LoKr twice) makes of the weights."""
    tensors, expected = {}, {}
    for path, cls, options in specs:
        layer = module("sd1", path)
        base = layer.weight.detach().clone()
        made = cls("x", layer, 1.0, **options)
        for key, value in made.named_parameters():
            value.data = value.data * (1 + 0.3 * torch.rand_like(value)) if "dora" in key else rand(*value.shape)
        stem = prefix + path.split(".", 1)[1].replace(".", "_")
        for key, value in made.custom_state_dict().items():
            tensors[f"{stem}.{key}"] = value.detach()
        if cls is LoConModule:
            delta = made.make_weight() * made.scale
        else:
            delta = made.get_weight(base.shape)
        if options.get("weight_decompose"):
            full = made.apply_weight_decompose(base + delta, 1)
            expected[path + ".weight"] = full if weight == 1 else base + weight * (full - base)
        else:
            expected[path + ".weight"] = base + weight * delta
    save(name, tensors)
    origin = "LyCORIS: get_weight as in forward"
    if weight != 1 and any(options.get("weight_decompose") for _, _, options in specs):
        origin += "; the straight line to it (ComfyUI's rule) in torch"
    write(name, "sd1", [[f"{name}.safetensors", weight]], expected, origin)


def lycoris_cases():
    linear, conv, point = "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.2", "unet.mid_block.resnets.0.conv2", "unet.mid_block.attentions.0.proj_out"
    other, third = "unet.mid_block.resnets.0.conv1", "unet.mid_block.resnets.1.conv1"
    lycoris("locon", 0.6, [(linear, LoConModule, {"lora_dim": 3, "alpha": 1}), (conv, LoConModule, {"lora_dim": 2, "alpha": 2}),
                           (other, LoConModule, {"lora_dim": 2, "alpha": 1, "use_tucker": True}), (point, LoConModule, {"lora_dim": 2, "alpha": 1})])
    lycoris("loha", 0.6, [(linear, LohaModule, {"lora_dim": 3, "alpha": 1}), (conv, LohaModule, {"lora_dim": 2, "alpha": 1}),
                          (other, LohaModule, {"lora_dim": 2, "alpha": 1, "use_tucker": True}), (point, LohaModule, {"lora_dim": 2, "alpha": 4})])
    lycoris("lokr", 0.6, [(linear, LokrModule, {"lora_dim": 1, "alpha": 0.5, "factor": 2, "decompose_both": True}),
                          (conv, LokrModule, {"lora_dim": 1, "alpha": 0.5, "factor": 2}),
                          (other, LokrModule, {"lora_dim": 1, "alpha": 0.5, "factor": 2, "use_tucker": True}),
                          (third, LokrModule, {"lora_dim": 9, "alpha": 3, "factor": 4, "full_matrix": True}),
                          ("unet.up_blocks.0.resnets.1.conv1", LokrModule, {"lora_dim": 1, "alpha": 0.25, "factor": 8, "decompose_both": True}),
                          (point, LokrModule, {"lora_dim": 1, "alpha": 0.5, "factor": 2})], "lycoris_")
    dora = {"lora_dim": 2, "alpha": 1, "weight_decompose": True}
    square = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_v"
    specs = [(linear, LoConModule, dora), (conv, LoConModule, dora | {"wd_on_out": False}), (square, LoConModule, dora | {"wd_on_out": False}),
             (other, LohaModule, dora), (third, LokrModule, dora | {"factor": 2}), (point, LokrModule, dora | {"factor": 2, "wd_on_out": False, "lora_dim": 1})]
    lycoris("dora_lycoris", 1.0, specs)
    lycoris("dora_partly", 0.6, specs[:2])

    tensors, expected = {}, {}
    for path in (linear, conv):
        for end, kind in ((".diff", ".weight"), (".diff_b", ".bias")):
            base = BASE["sd1"][path + kind]
            tensors[kohya(path) + end] = rand(*base.shape)
            expected[path + kind] = base + 0.6 * tensors[kohya(path) + end]
    path = "unet.mid_block.resnets.0.norm1"
    norm = NormModule("x", module("sd1", path), 0.6)
    for value in norm.parameters():
        value.data = rand(*value.shape)
    expected[path + ".weight"], expected[path + ".bias"] = norm.make_weight(0.6)
    tensors |= {kohya(path) + ".w_norm": norm.w_norm, kohya(path) + ".b_norm": norm.b_norm}
    save("full", tensors)
    write("full", "sd1", [["full.safetensors", 0.6]], expected, "torch (differences), LyCORIS (norms)")


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
    """Every module of the published models with its kohya key, as diffusers' own conversion maps them; lines share their starts."""
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
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    sd1_cases()
    xl_cases()
    lycoris_cases()
    changed = {name for case in CASES for name in load_file(OUT / f"{case['name']}.expected.safetensors") if case["model"] == "xl"}
    for model, tensors in BASE.items():
        # Of the larger model what is changed and some of what is not.
        tensors = {name: value for name, value in tensors.items() if model == "sd1" or name in changed or "attn2" in name}
        save_file({name: value.half() for name, value in tensors.items()}, OUT / f"{model}.safetensors")
    names()
    (OUT / "cases.json").write_text(json.dumps(CASES, indent=1) + "\n")
    size = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{len(CASES)} cases, {size // 1024} KB in {OUT}", file=sys.stderr)
