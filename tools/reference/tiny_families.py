"""Tiny networks of every family with weights from a formula, and what diffusers computes with them in float32 on a CPU.

The weights are not stored: tests make them from names and shapes, as `values` does here. Written are networks.json (configurations, names and shapes) and
reference.safetensors (inputs and outputs). python tools/reference/tiny_families.py --out inference/tests/data/families"""
import argparse, json, math, os
import numpy as np, torch
from diffusers import AutoencoderKL, LatentConsistencyModelPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

ap = argparse.ArgumentParser(); ap.add_argument("--out", required=True); a = ap.parse_args()
torch.manual_seed(11); torch.set_num_threads(1)

def values(name, shape):
    """Uniform numbers of variance 1 / fan-in; norms near 1, biases near 0. The hash is FNV-1a of the name, mixed with the index (lowbias32)."""
    h = 0x811C9DC5
    for byte in name.encode(): h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    x = (np.arange(math.prod(shape), dtype=np.uint64) * 0x9E3779B9 + h) & 0xFFFFFFFF
    x ^= x >> 16; x = x * 0x7FEB352D & 0xFFFFFFFF; x ^= x >> 15; x = x * 0x846CA68B & 0xFFFFFFFF; x ^= x >> 16
    u = (x >> 8).astype(np.float32) / np.float32(1 << 24) - np.float32(0.5)
    if len(shape) > 1: u = u * np.float32(2 * math.sqrt(3 / math.prod(shape[1:])))
    else: u = u * np.float32(0.2) + np.float32(name.endswith("weight"))
    return torch.from_numpy(u.reshape(shape))

def network(net):
    net.load_state_dict({k: values(k, tuple(v.shape)) for k, v in net.state_dict().items() if v.is_floating_point()}, strict=False)
    return net.eval()

def kinds(way, attention): return tuple(f"{'CrossAttn' if has else ''}{way}Block2D" for has in attention)
def unet(channels, attention, **more):
    return network(UNet2DConditionModel(sample_size=8, block_out_channels=channels, norm_num_groups=8, down_block_types=kinds("Down", attention), up_block_types=kinds("Up", attention[::-1]), **more))
def added(pooled, n_ids): return dict(addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=pooled + 8 * n_ids)
def vae(scaling_factor, **more):
    return network(AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=8, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1, scaling_factor=scaling_factor, **more))
def text(width, act, projection=None):
    c = CLIPTextConfig(vocab_size=4096, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=4, hidden_act=act, projection_dim=projection or width, bos_token_id=4094, eos_token_id=4095)
    return network((CLIPTextModelWithProjection if projection else CLIPTextModel)(c))

models = {
    "sd1": dict(index={"_class_name": "StableDiffusionPipeline"}, unet=unet((8, 16), (True, False), layers_per_block=1, attention_head_dim=8, cross_attention_dim=16), vae=vae(0.18215), text_encoder=text(16, "quick_gelu")),
    "sd1_inpaint": dict(index={"_class_name": "StableDiffusionInpaintPipeline"}, unet=unet((8, 16), (True, False), in_channels=9, layers_per_block=1, attention_head_dim=8, cross_attention_dim=16), vae=vae(0.18215), text_encoder=text(16, "quick_gelu")),
    "lcm": dict(index={"_class_name": "LatentConsistencyModelPipeline"}, unet=unet((8, 16), (True, False), layers_per_block=1, attention_head_dim=8, cross_attention_dim=16, time_cond_proj_dim=32), vae=vae(0.18215), text_encoder=text(16, "quick_gelu")),
    "sd2": dict(index={"_class_name": "StableDiffusionPipeline"}, unet=unet((16, 32), (True, False), layers_per_block=2, attention_head_dim=[1, 2], cross_attention_dim=16, use_linear_projection=True), vae=vae(0.18215), text_encoder=text(16, "gelu")),
    "xl": dict(index={"_class_name": "StableDiffusionXLPipeline"}, unet=unet((16, 16, 32), (False, True, True), layers_per_block=1, attention_head_dim=[1, 1, 2], transformer_layers_per_block=[1, 1, 2], cross_attention_dim=40, use_linear_projection=True, **added(12, 6)), vae=vae(0.13025), text_encoder=text(16, "quick_gelu"), text_encoder_2=text(24, "gelu", 12)),
    "refiner": dict(index={"_class_name": "StableDiffusionXLImg2ImgPipeline", "requires_aesthetics_score": True}, unet=unet((8, 16, 16, 16), (False, True, True, False), layers_per_block=1, attention_head_dim=[1, 1, 1, 1], transformer_layers_per_block=2, cross_attention_dim=24, use_linear_projection=True, **added(12, 5)), vae=vae(0.13025), text_encoder_2=text(24, "gelu", 12)),
}
networks, out = {}, {}
with torch.no_grad():
    for name, model in models.items():
        unet, vae = model["unet"], model["vae"]; c = unet.config
        latents, context, timesteps = torch.randn(2, c.in_channels, 8, 6), torch.randn(2, 7, c.cross_attention_dim), torch.tensor([999.0, 31.5])
        inputs = {"latents": latents, "context": context, "timesteps": timesteps}; kwargs = {}
        if c.addition_embed_type:
            inputs["pooled"], inputs["ids"] = torch.randn(2, 12), torch.tensor([[64.0, 48, 3, 0, 128, 96], [1024, 1024, 0, 0, 1024, 512]])[:, : 6 if name == "xl" else 5]
            kwargs["added_cond_kwargs"] = {"text_embeds": inputs["pooled"], "time_ids": inputs["ids"]}
        if c.time_cond_proj_dim:
            scales = torch.tensor([8.5, 1.5]); inputs["guidance"] = scales
            kwargs["timestep_cond"] = LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, scales - 1, embedding_dim=c.time_cond_proj_dim)
        inputs["output"] = unet(latents, timesteps, encoder_hidden_states=context, **kwargs).sample
        if name in ("sd1", "xl"):
            pixels, small = torch.rand(1, 3, 10, 12) * 2 - 1, torch.randn(1, 4, 5, 6); moments = vae.encode(pixels).latent_dist
            inputs |= {"pixels": pixels, "mean": moments.mean, "deviation": moments.std, "small": small, "decoded": vae.decode(small / vae.config.scaling_factor).sample}
        out |= {f"{name}.{k}": v.contiguous() for k, v in inputs.items()}
        networks[name] = {"model_index.json": model["index"]}
        for part, net in model.items():
            if part == "index": continue
            config = {k: v for k, v in (net.config.to_dict() if part.startswith("text") else dict(net.config)).items() if not k.startswith("_") or k == "_class_name"}
            config |= {"architectures": [type(net).__name__]} if part.startswith("text") else {"_class_name": type(net).__name__}
            networks[name][part] = {"config": config, "shapes": {k: list(v.shape) for k, v in net.state_dict().items() if v.is_floating_point()}}
os.makedirs(a.out, exist_ok=True)
json.dump(networks, open(f"{a.out}/networks.json", "w"), separators=(",", ":"))
save_file(out, f"{a.out}/reference.safetensors")
