"""Adapters of each format, a learned word and a VAE file for the tiny models; what they do is merged here by their definitions.

Sources: LoRA (Hu et al. 2021, section 4.1); DoRA (Liu et al. 2024, equation 5); LyCORIS (Yeh et al. 2023, section 3) for cores, LoHa and LoKr.
"""
import contextlib

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

import family_cases
import family_models
import ldm_names

UNET_1 = ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v",
          "up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_out.0", "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj"]
TEXT_1 = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1"]
CONV_1 = ["down_blocks.0.resnets.0.conv1", "up_blocks.1.resnets.1.conv_shortcut", "up_blocks.1.attentions.1.proj_in"]
UNET_XL = ["down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "up_blocks.0.attentions.1.transformer_blocks.1.attn2.to_v", "up_blocks.0.attentions.0.proj_in"]
# Of an adapter: the formats of its modules, the names of its keys, and alpha where the file says one.
FILES = {
    "kohya_sd1": dict(model="sd1", names="kohya", unet=UNET_1, text_encoder=TEXT_1, kind="lora", alpha=1.0),
    "peft_sd1": dict(model="sd1", names="peft", unet=UNET_1, text_encoder=TEXT_1, kind="lora", alpha=None),
    "locon_sd1": dict(model="sd1", names="kohya", unet=CONV_1, kind="lora", alpha=1.5),
    "core_sd1": dict(model="sd1", names="kohya", unet=["up_blocks.1.resnets.0.conv2", "down_blocks.1.resnets.0.conv1"], kind="core", alpha=1.0),
    "dora_sd1": dict(model="sd1", names="kohya", unet=UNET_1, kind="dora", alpha=2.0),
    "loha_sd1": dict(model="sd1", names="kohya", unet=UNET_1, kind="loha", alpha=1.0),
    "lokr_sd1": dict(model="sd1", names="kohya", unet=UNET_1, kind="lokr", alpha=1.0),
    "kohya_sdxl": dict(model="sdxl", names="sgm", unet=UNET_XL, text_encoder=TEXT_1, text_encoder_2=TEXT_1, kind="lora", alpha=1.0),
    "peft_sdxl": dict(model="sdxl", names="peft", unet=UNET_XL, text_encoder_2=TEXT_1, kind="lora", alpha=None),
}
PARTS = ("unet", "text_encoder", "text_encoder_2")
RANK = 2


def module_of(net, path):
    """The module, for transformers with and without the outer level."""
    return (net.text_model if hasattr(net, "text_projection") else net).get_submodule(path)


def make(kind, weight, generator):
    """A module's tensors by role, sized so that the change is about as large as the weight."""
    random = lambda *shape: torch.randn(*shape, generator=generator)
    rows, columns = weight.shape[0], weight.shape[1]
    kernel = list(weight.shape[2:])
    size = weight.std() * 1.4
    if kind in ("lora", "dora"):
        found = {"up": random(rows, RANK, *[1] * len(kernel)) * size, "down": random(RANK, columns, *kernel)}
        if kind == "dora":
            found["dora_scale"] = weight.norm(dim=1, keepdim=True) * (1 + 0.4 * random(rows, 1))
        return found
    if kind == "core":
        return {"up": random(rows, RANK, 1, 1) * size, "mid": random(RANK, RANK, *kernel), "down": random(RANK, columns, 1, 1)}
    if kind == "loha":
        return {"w1_a": random(rows, RANK) * size, "w1_b": random(RANK, columns), "w2_a": random(rows, RANK), "w2_b": random(RANK, columns)}
    return {"w1": random(4, 4) * size, "w2_a": random(rows // 4, RANK), "w2_b": random(RANK, columns // 4)}


def merged(kind, weight, roles, alpha, factor):
    """The weight with the change in it."""
    scale = 1.0 if alpha is None else alpha / RANK
    flat = lambda tensor: tensor.flatten(1)
    if kind in ("lora", "dora"):
        change = flat(roles["up"]) @ flat(roles["down"])
    elif kind == "core":
        change = torch.einsum("or,rshw,si->oihw", flat(roles["up"]), roles["mid"], flat(roles["down"]))
    elif kind == "loha":
        change = (roles["w1_a"] @ roles["w1_b"]) * (roles["w2_a"] @ roles["w2_b"])
    else:
        change = torch.kron(roles["w1"], roles["w2_a"] @ roles["w2_b"])
    new = weight + factor * scale * change.reshape(weight.shape)
    return new if kind != "dora" else roles["dora_scale"] * new / new.norm(dim=1, keepdim=True)


def key(file, part, path, table):
    """The module's name in the file."""
    outer = "" if part == "unet" else "text_model."
    if file["names"] == "peft":
        return f"{part}.{outer}{path}"
    if file["names"] == "sgm" and part == "unet":
        path = ldm_names.rename(path + ".", table)[0].removeprefix(table["prefix"])[:-1]
    prefix = {"unet": "unet", "text_encoder": "te1" if file["names"] == "sgm" else "te", "text_encoder_2": "te2"}[part]
    return f"lora_{prefix}_{(outer + path).replace('.', '_')}"


def roles_of(file, name):
    """How a file writes a role."""
    if file["names"] == "peft":
        return {"up": "lora_B.weight", "down": "lora_A.weight"}[name]
    if file["kind"] in ("loha", "lokr"):
        return {"loha": "hada_", "lokr": "lokr_"}[file["kind"]] + name
    return name if name == "dora_scale" else f"lora_{name}.weight"


def modules(pipe, name):
    """Part, path, module and tensors by role of an adapter; the same at every call."""
    file = FILES[name]
    generator = torch.Generator().manual_seed(list(FILES).index(name) + 100)
    for part in PARTS:
        for path in file.get(part, []):
            module = module_of(getattr(pipe, part), path)
            yield part, path, module, make(file["kind"], getattr(module, "original", module.weight).detach(), generator)


def stored(pipe, name, data):
    """Module and tensors by role of an adapter, as its file has them: made for the weights of one model, they serve others too."""
    file, tensors = FILES[name], load_file(data / f"adapters/{name}.safetensors")
    table = ldm_names.unet(family_models.FAMILIES[file["model"]]["unet"])
    for part, path, module, roles in list(modules(pipe, name)):
        stem = key(file, part, path, table)
        yield module, {role: tensors[f"{stem}.{roles_of(file, role)}"] for role in roles}


def write(families, data):
    """Writes the files, and asks diffusers about those that it reads."""
    (data / "adapters").mkdir(exist_ok=True)
    for name, file in FILES.items():
        pipe = families.pipe(file["model"], "text")
        table = ldm_names.unet(family_models.FAMILIES[file["model"]]["unet"])
        tensors = {}
        for part, path, _, roles in modules(pipe, name):
            stem = key(file, part, path, table)
            tensors |= {f"{stem}.{roles_of(file, role)}": tensor.contiguous() for role, tensor in roles.items()}
            if file["alpha"] is not None:
                tensors[f"{stem}.alpha"] = torch.tensor(file["alpha"])
        save_file(tensors, data / f"adapters/{name}.safetensors")
        if file["kind"] == "lora":
            check(families, name, data)
    generator = torch.Generator().manual_seed(99)
    save_file({"emb_params": torch.randn(2, 64, generator=generator)}, data / "adapters/toy-style.safetensors")


def check(families, name, data):
    """diffusers must make the same U-Net of the file."""
    file = FILES[name]
    pipe = families.fresh(file["model"])
    tensors, alphas = pipe.lora_state_dict(str(data / f"adapters/{name}.safetensors"), unet_config=pipe.unet.config)[:2]
    pipe.load_lora_into_unet(tensors, alphas, pipe.unet)
    pipe.unet.fuse_lora()
    for part, path, module, roles in modules(families.pipe(file["model"], "text"), name):
        if part == "unet":
            theirs = pipe.unet.get_submodule(path)
            ours = merged(file["kind"], module.weight.detach(), roles, file["alpha"], 1.0)
            apart = (getattr(theirs, "base_layer", theirs).weight - ours).abs().max() / ours.abs().max()
            if not apart < 1e-5:
                print(f"{name}: diffusers has another {path}: {apart:.1e}")


@contextlib.contextmanager
def applied(pipe, args, data, work):
    """The pipeline with the adapters, learned words and VAE that the arguments name."""
    kept = []
    for lora in args.lora:
        path, factor = lora.rsplit(":", 1)
        name = path.rsplit("/", 1)[1].removesuffix(".safetensors")
        for module, roles in stored(pipe, name, data):
            module.original = getattr(module, "original", module.weight.detach().clone())
            module.weight.data = merged(FILES[name]["kind"], module.weight.detach(), roles, FILES[name]["alpha"], float(factor))
            kept.append(module)
    vae = pipe.vae
    if args.vae:
        pipe.vae = AutoencoderKL.from_config(vae.config)
        pipe.vae.load_state_dict(load_file(work / args.vae[1:]))
        pipe.vae.eval()
    if args.embedding:
        word = args.embedding.rsplit("/", 1)[1].removesuffix(".safetensors")
        pipe.load_textual_inversion(str(data / args.embedding[1:]), token=word)
    yield
    if args.embedding:
        pipe.unload_textual_inversion()
    pipe.vae = vae
    for module in kept:
        if hasattr(module, "original"):
            module.weight.data = module.original
            del module.original


def cases():
    case, file = family_cases.case, "@adapters/{}.safetensors:{}".format
    found = [case(f"lora_{name}", spec["model"], prompt=i % 5, seed=5 + i, sampler="euler", negative="fog", lora=file(name, 1.0 if spec["kind"] == "dora" else 0.8))
             for i, (name, spec) in enumerate(FILES.items())]
    return found + [
        case("lora_whole", "sd1", prompt=1, seed=31, sampler="ddim", lora=file("kohya_sd1", 1.0)),
        case("lora_negative", "sd1", prompt=1, seed=31, sampler="ddim", lora=file("kohya_sd1", -0.5)),
        case("lora_two", "sd1", prompt=1, seed=31, sampler="ddim", lora=[file("kohya_sd1", 0.7), file("locon_sd1", 0.5)]),
        case("lora_image", "sd1", prompt=1, steps=8, init="@init_24x24.png", strength=0.6, sampler="dpmpp_2m", lora=file("peft_sd1", 0.7)),
        case("lora_mask", "sd1_inpaint", prompt=1, steps=6, init="@init_24x24.png", mask="@mask_24x24.png", strength=1.0, sampler="euler", lora=file("kohya_sd1", 0.7)),
        case("learned_word", "sd1", prompt="a fox in toy-style by night", sampler="euler", embedding="@adapters/toy-style.safetensors"),
        case("other_vae", "sd1", prompt=2, sampler="euler", vae="%sd1_vae/vae/diffusion_pytorch_model.safetensors"),
        case("other_vae_image", "sd1", prompt=2, steps=8, init="@init_24x24.png", strength=0.5, sampler="euler", vae="%sd1_vae/vae/diffusion_pytorch_model.safetensors"),
    ]
