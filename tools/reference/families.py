"""Tiny models of every family and diffusers' pictures of them, for `bot/tests/parity.rs`. See README.md."""
import argparse
import json
import math
from pathlib import Path
from types import SimpleNamespace

import diffusers
import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

import family_adapters
import family_cases
import family_models
import ldm_names

STRENGTH = 0.6
# Families whose cases `own` and `mask_own` or `image_own_0.3` are also run from one file.
SINGLE_FILES = {"sd1": "own", "sd2": "own", "sdxl": "own", "sd1_inpaint": "mask_own", "sdxl_refiner": "image_own_0.3"}
# How much of the fitted weights' size is added at random, so that prompts matter.
JITTER = 0.1
PIPELINES = {
    (False, "text"): diffusers.StableDiffusionPipeline,
    (False, "image"): diffusers.StableDiffusionImg2ImgPipeline,
    (False, "mask"): diffusers.StableDiffusionInpaintPipeline,
    (True, "text"): diffusers.StableDiffusionXLPipeline,
    (True, "image"): diffusers.StableDiffusionXLImg2ImgPipeline,
    (True, "mask"): diffusers.StableDiffusionXLInpaintPipeline,
}
LCM_PIPELINES = {"text": diffusers.LatentConsistencyModelPipeline, "image": diffusers.LatentConsistencyModelImg2ImgPipeline}


def scene(rng, width, height):
    """A picture with a gradient, a disc and a bar."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    picture = rng.uniform(-1, 1, 3) * x[..., None] + rng.uniform(-1, 1, 3) * y[..., None] + rng.uniform(0, 1, 3)
    cx, cy, radius = rng.uniform(0.2, 0.8, 2).tolist() + [rng.uniform(0.1, 0.3)]
    picture[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = rng.uniform(0, 1, 3)
    picture[np.abs(x + y - rng.uniform(0.5, 1.3)) < 0.06] = rng.uniform(0, 1, 3)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def mask(width, height):
    """Grey from black to white with 127 and 128, the two sides of the border, in it."""
    y, x = np.mgrid[0:height, 0:width]
    soft = np.clip((x + 0.5 * y) / (width + 0.5 * height) * 340 - 40, 0, 255).round().astype(np.uint8)
    soft[: height // 3, : width // 3] = 128
    soft[-height // 3 :, -width // 3 :] = 127
    return soft


def load(cls, folder):
    more = {"add_watermarker": False} if "XL" in cls.__name__ else {"safety_checker": None}
    pipe = cls.from_pretrained(folder, torch_dtype=torch.float32, **more)
    pipe.set_progress_bar_config(disable=True)
    return pipe


class Families:
    """The models in `work`, with every pipeline over one set of weights."""

    def __init__(self, work):
        self.work, self.parts, self.pipes = work, {}, {}

    def fresh(self, model):
        """A pipeline of its own, to be changed."""
        return load(PIPELINES["XL" in family_models.FAMILIES[model]["pipeline"], "text"], self.work / model)

    def pipe(self, model, kind):
        if (model, kind) not in self.pipes:
            family = family_models.FAMILIES[model]
            cls = LCM_PIPELINES[kind] if "LatentConsistency" in family["pipeline"] else PIPELINES["XL" in family["pipeline"], kind]
            self.pipes[model, kind] = load(cls, self.work / model)
            pipe = self.pipes[model, kind]
            pipe.own_scheduler = pipe.scheduler
            # Newer transformers have taken away the level that the pipelines still name when layers are left out.
            if pipe.text_encoder is not None and not hasattr(pipe.text_encoder, "text_model"):
                pipe.text_encoder.text_model = SimpleNamespace(final_layer_norm=pipe.text_encoder.final_layer_norm)
        return self.pipes[model, kind]


@torch.no_grad()
def fit(name, recipes, data, work):
    """Makes a random model behave: latents near unit size, pictures of middling contrast, and a U-Net that roughly removes noise."""
    family, small, fitted = family_models.FAMILIES[name], data / name, {}
    rng = np.random.default_rng(1)
    pixels = torch.stack([torch.from_numpy(scene(rng, 24, 24)) for _ in range(48)]).permute(0, 3, 1, 2) / 127.5 - 1
    vae = diffusers.AutoencoderKL.from_pretrained(work / name / "vae", torch_dtype=torch.float32)
    if not isinstance(recipes["vae"], str):
        means = vae.encode(pixels).latent_dist.mean
        weight, bias = vae.quant_conv.weight, vae.quant_conv.bias
        size = means.std((0, 2, 3)) * vae.config.scaling_factor
        weight[:4] /= size[:, None, None, None]
        bias[:4] = (bias[:4] - means.mean((0, 2, 3))) / size
        weight[4:] *= 0.3
        bias[4:] = torch.tensor([1.0, 0.5, 1.5, 0.0])
        fitted |= {"vae.quant_conv.weight": weight.clone(), "vae.quant_conv.bias": bias.clone()}
        decoded = vae.decode(torch.randn(16, 4, 6, 6, generator=torch.Generator().manual_seed(3)) / vae.config.scaling_factor).sample
        scale = 0.4 / decoded.std((0, 2, 3))
        fitted |= {"vae.decoder.conv_out.weight": vae.decoder.conv_out.weight * scale[:, None, None, None],
                   "vae.decoder.conv_out.bias": (vae.decoder.conv_out.bias - decoded.mean((0, 2, 3))) * scale}
        store(fitted, small, work / name)
        vae = diffusers.AutoencoderKL.from_pretrained(work / name / "vae", torch_dtype=torch.float32)
    if not isinstance(recipes["unet"], str):
        unet = diffusers.UNet2DConditionModel.from_pretrained(work / name / "unet", torch_dtype=torch.float32)
        # Mostly each pixel's own values, which noise needs.
        weight = unet.conv_in.weight
        weight *= 0.2
        weight[:, :, 1, 1] *= 12
        fitted["unet.conv_in.weight"] = weight
        fitted |= fit_unet(name, unet, vae, pixels, work)
    if fitted:
        store(fitted, small, work / name)


def fit_unet(name, unet, vae, pixels, work):
    """The last convolution by ridge regression on noised pictures, and a random part so that prompts matter."""
    generator = torch.Generator().manual_seed(4)
    clean = vae.encode(pixels).latent_dist.mean * vae.config.scaling_factor
    pipe = Families(work).pipe(name, "mask" if unet.config.in_channels == 9 else "image" if name == "sdxl_refiner" else "text")
    alphas = diffusers.DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
    features, rows, targets = [], [], []
    unet.conv_out.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    for timestep in (20, 150, 350, 550, 750, 900, 999):
        noise = torch.randn(clean.shape, generator=generator)
        alpha, sigma = alphas[timestep].sqrt(), (1 - alphas[timestep]).sqrt()
        noised = alpha * clean + sigma * noise
        target = alpha * noise - sigma * clean if pipe.scheduler.config.prediction_type == "v_prediction" else noise
        prompts = [family_cases.PROMPTS[i % 5] for i in range(len(clean))]
        more = {}
        if pipe.__class__.__name__.startswith("StableDiffusionXL"):
            encoded = pipe.encode_prompt(prompts, None, "cpu", 1, False)
            context, pooled = encoded[0], encoded[2]
            n_ids = (unet.config.projection_class_embeddings_input_dim - pooled.shape[1]) // 256
            more["added_cond_kwargs"] = {"text_embeds": pooled, "time_ids": torch.tensor([[24.0, 24.0, 0.0, 0.0, 24.0, 24.0][:n_ids]] * len(clean))}
        else:
            context = pipe.encode_prompt(prompts, "cpu", 1, False)[0]
        if unet.config.time_cond_proj_dim:
            more["timestep_cond"] = pipe.get_guidance_scale_embedding(torch.full((len(clean),), 4.0), embedding_dim=unet.config.time_cond_proj_dim)
        if unet.config.in_channels == 9:
            holes = (torch.rand(len(clean), 1, *clean.shape[2:], generator=generator) < 0.5).float()
            noised = torch.cat([noised, holes, clean * (1 - holes)], 1)
        unet(noised, timestep, encoder_hidden_states=context, **more)
        # What counts is the error in the clean latents, which noise hides.
        weight = (1.0 if pipe.scheduler.config.prediction_type == "v_prediction" else sigma / alpha + 0.3)
        seen = torch.nn.functional.unfold(features.pop(), 3, padding=1).transpose(1, 2).flatten(0, 1)
        rows.append(torch.cat([seen, torch.ones(len(seen), 1)], 1) * weight)
        targets.append(target.permute(0, 2, 3, 1).flatten(0, 2) * weight)
    x = torch.cat(rows).double()
    y = torch.cat(targets).double()
    best = torch.linalg.solve(x.T @ x + 1e-5 * len(x) * torch.eye(x.shape[1], dtype=torch.float64), x.T @ y)
    left = ((x @ best - y).var() / y.var()).item()
    weight = best[:-1].T.reshape(unet.conv_out.weight.shape)
    jitter = torch.randn(weight.shape, generator=generator, dtype=torch.float64) * JITTER * weight.std()
    print(f"{name}: {left:.2f} of the target's variance is left; weights {weight.std():.3f}")
    return {"unet.conv_out.weight": (weight + jitter).float(), "unet.conv_out.bias": best[-1].float()}


def store(fitted, small, whole):
    """Keeps fitted tensors (float16 on disk) and puts them into the whole model."""
    fitted = {key: tensor.half().contiguous() for key, tensor in fitted.items()}
    save_file(fitted, small / "fitted.safetensors")
    for part in {key.split(".", 1)[0] for key in fitted}:
        path = whole / part / family_models.part_file(part)
        weights = load_file(path)
        weights |= {key.split(".", 1)[1]: tensor.float() for key, tensor in fitted.items() if key.startswith(part + ".")}
        save_file(weights, path, {"format": "pt"})


def embeddings(pipe, args):
    """Both prompts without the skipped layers; left to itself the pipeline skips them for the prompt alone."""
    is_xl = pipe.__class__.__name__.startswith("StableDiffusionXL")
    names = ("prompt_embeds", "pooled_prompt_embeds")

    def encoded(text):
        found = pipe.encode_prompt(text, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False, clip_skip=args.clip_skip)
        return dict(zip(names, (found[0], found[2]) if is_xl else (found[0],)))

    told, unwanted = encoded(args.prompt), encoded(args.negative or "")
    if args.negative is None and getattr(pipe.config, "force_zeros_for_empty_prompt", False):
        unwanted = {name: torch.zeros_like(tensor) for name, tensor in unwanted.items()}
    return told | {f"negative_{name}": tensor for name, tensor in unwanted.items()}


def draw(families, case, data):
    """diffusers' pictures and last latents of a case."""
    args = family_cases.parser().parse_args(case["args"])
    kind = "mask" if args.mask else "image" if args.init else "text"
    pipe = families.pipe(case["model"], kind)
    pipe.scheduler = family_cases.scheduler(pipe.own_scheduler, args.sampler, args.schedule)
    told = {"num_inference_steps": args.steps, "guidance_scale": args.guidance, "prompt": args.prompt, "clip_skip": args.clip_skip}
    if not isinstance(pipe, tuple(LCM_PIPELINES.values())):
        told["negative_prompt"] = args.negative
    if args.clip_skip:
        told = {key: value for key, value in told.items() if "prompt" not in key} | embeddings(pipe, args)
    if kind != "image":
        told |= {"width": args.width, "height": args.height}
    if args.guidance_rescale is not None:
        told["guidance_rescale"] = args.guidance_rescale
    if kind != "text":
        told |= {"image": Image.open(data / args.init[1:]), "strength": STRENGTH if args.strength is None else args.strength}
        assert told["image"].size == (args.width, args.height)
    if kind == "mask":
        told["mask_image"] = Image.open(data / args.mask[1:])
    pictures, latents = [], []
    with family_adapters.applied(pipe, args, data, families.work), torch.no_grad():
        for i in range(args.count):
            last = []
            generator = torch.Generator("cpu").manual_seed(args.seed + i)
            keep = lambda _pipe, _step, _timestep, kept: last.append(kept["latents"].clone()) or kept
            pictures.append(np.asarray(pipe(**told, generator=generator, callback_on_step_end=keep).images[0].convert("RGB")))
            latents.append(last[-1])
    return pictures, latents


def single_files(families, data):
    """The tables of renaming, which diffusers' converters must undo."""
    found = {}
    for name in SINGLE_FILES:
        family = {key: family_models.FAMILIES[part][key] if isinstance(part, str) and key in family_models.NETWORKS else part for key, part in family_models.FAMILIES[name].items()}
        found[name] = ldm_names.tables(family)
        pipe = families.pipe(name, "mask" if "inpaint" in name else "image" if "refiner" in name else "text")
        parts = {part: (load_file(families.work / name / part / family_models.part_file(part)), getattr(pipe, part)) for part in family_models.NETWORKS if getattr(pipe, part, None) is not None}
        ldm_names.check(family, {part: (tensors, dict(net.config) if part in ("unet", "vae") else net) for part, (tensors, net) in parts.items()})
    (data / "single_files.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def pack(pictures):
    """A sheet that holds the pictures in rows, and where each is."""
    places, x, y, row, width = [], 0, 0, 0, 320
    for picture in pictures:
        h, w = picture.shape[:2]
        if x + w > width:
            x, y, row = 0, y + row, 0
        places.append([x, y, w, h])
        x, row = x + w, max(row, h)
    sheet = np.zeros((y + row, width, 3), np.uint8)
    for (x, y, w, h), picture in zip(places, pictures):
        sheet[y : y + h, x : x + w] = picture
    return sheet, places


def replace(args):
    """Draws some cases anew, of the models as they are, into the sheets and latents that there are."""
    for name in family_models.FAMILIES:
        family_models.build(name, args.data, args.work)
        if (args.data / name / "fitted.safetensors").exists():
            store(load_file(args.data / name / "fitted.safetensors"), args.data / name, args.work / name)
    families = Families(args.work)
    places = {case["id"]: case["pictures"] for case in json.loads((args.data / "cases.json").read_text())["cases"]}
    for case in family_cases.cases() + family_adapters.cases():
        if args.replace not in case["id"]:
            continue
        pictures, last = draw(families, case, args.data)
        sheet_file, latents_file = args.data / f"pictures/{case['model']}.png", args.data / f"latents/{case['model']}.safetensors"
        sheet, latents = np.asarray(Image.open(sheet_file)).copy(), load_file(latents_file)
        for i, ((x, y, w, h), picture) in enumerate(zip(places[case["id"]], pictures, strict=True)):
            print(case["id"], i, f"{psnr(sheet[y : y + h, x : x + w], picture):.1f} dB from before", flush=True)
            sheet[y : y + h, x : x + w] = picture
            latents[f"{case['id'].split('/')[1]}.{i}"] = last[i].contiguous()
        Image.fromarray(sheet).save(sheet_file, optimize=True)
        save_file(latents, latents_file)
        latents_file.chmod(0o644)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--tokenizer", type=Path, default=Path("models/starter/model/tokenizer"))
    ap.add_argument("--data", type=Path, default=Path("inference/tests/data/families"))
    ap.add_argument("--work", type=Path, required=True, help="where the whole models go")
    ap.add_argument("--only", default="", help="draw only cases whose id has this in it, and write nothing")
    ap.add_argument("--models-only", action="store_true", help="draw nothing")
    ap.add_argument("--replace", default="", help="draw only cases whose id has this in it, into what there is")
    args = ap.parse_args()
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    if args.replace:
        return replace(args)
    if not args.only:
        family_models.tokenizer(args.tokenizer, args.data / "tokenizer")
        rng = np.random.default_rng(2)
        for width, height in ((24, 24), (40, 24)):
            Image.fromarray(scene(rng, width, height)).save(args.data / f"init_{width}x{height}.png", optimize=True)
            Image.fromarray(mask(width, height)).save(args.data / f"mask_{width}x{height}.png", optimize=True)
        for name in family_models.FAMILIES:
            fit(name, family_models.build(name, args.data, args.work), args.data, args.work)
    families = Families(args.work)
    if args.models_only:
        return
    if not args.only:
        family_adapters.write(families, args.data)
        single_files(families, args.data)
    found = [case for case in family_cases.cases() + family_adapters.cases() if args.only in case["id"]]
    assert len({case["id"] for case in found}) == len(found)
    sheets, latents = {}, {}
    for case in found:
        pictures, last = draw(families, case, args.data)
        case["pictures"] = [(case["model"], len(sheets.setdefault(case["model"], [])) + i) for i in range(len(pictures))]
        sheets[case["model"]] += pictures
        for i, tensor in enumerate(last):
            latents.setdefault(case["model"], {})[f"{case['id'].split('/')[1]}.{i}"] = tensor.contiguous()
        saturated = np.mean([(p == 0) | (p == 255) for p in pictures])
        print(f"{case['id']:32} latents {last[0].std():.3f}  picture {pictures[0].std():5.1f}  saturated {saturated:.2f}", flush=True)
    for model, pictures in sheets.items():
        alike = [(a, b) for a in range(len(pictures)) for b in range(a) if pictures[a].shape == pictures[b].shape and psnr(pictures[a], pictures[b]) > 40]
        ids = [case["id"] for case in found for picture in case["pictures"] if picture[0] == model]
        for a, b in alike:
            print("alike:", ids[a], ids[b], f"{psnr(pictures[a], pictures[b]):.1f} dB")
    if args.only:
        return
    for folder in ("latents", "pictures"):
        (args.data / folder).mkdir(exist_ok=True)
    for model, pictures in sheets.items():
        sheet, places = pack(pictures)
        Image.fromarray(sheet).save(args.data / f"pictures/{model}.png", optimize=True)
        save_file(latents[model], args.data / f"latents/{model}.safetensors")
        for case in found:
            if case["model"] == model:
                case["pictures"] = [places[index] for _, index in case["pictures"]]
    for path in args.data.rglob("*.safetensors"):
        path.chmod(0o644)
    made_with = {library.__name__: library.__version__ for library in (torch, diffusers, transformers)}
    # The same pictures from one file; the adapters' names are told there too.
    by_id = {case["id"]: case for case in found}
    found += [by_id[f"{model}/{case}"] | {"id": f"{model}/single_file", "model": f"{model}.safetensors"} for model, case in SINGLE_FILES.items()]
    rows = ",\n".join(json.dumps(case, ensure_ascii=False) for case in found)
    (args.data / "cases.json").write_text(f'{{"made_with": {json.dumps(made_with)}, "cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
