"""A tiny Stable-Diffusion-2-like model with random weights, and what diffusers and transformers compute with it in float32 on a CPU.

It has what the starter model lacks: linear projections, a list of heads, several transformer layers, only_cross_attention, the exact GELU, no quant convolutions,
odd sizes, a U-Net in two shards, and the key names of old files. python tools/reference/tiny_model.py --tokenizer models/starter/model/tokenizer --out inference/tests/data/tiny"""
import argparse, json, os
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

ap = argparse.ArgumentParser(); ap.add_argument("--tokenizer", required=True); ap.add_argument("--out", required=True); a = ap.parse_args()
torch.manual_seed(7); torch.set_num_threads(1)
rounded = lambda net: net.half().float().eval()  # the files hold float16
unet = rounded(UNet2DConditionModel(sample_size=8, block_out_channels=(16, 32), norm_num_groups=8, down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"), layers_per_block=2, attention_head_dim=[2, 4], transformer_layers_per_block=[1, 2], use_linear_projection=True,
    only_cross_attention=[True, False], cross_attention_dim=16, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1))
vae = rounded(AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    layers_per_block=2, use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.5))
text = rounded(CLIPTextModel(CLIPTextConfig(vocab_size=4096, hidden_size=16, intermediate_size=40, num_hidden_layers=2, num_attention_heads=2, hidden_act="gelu", bos_token_id=4094, eos_token_id=4095)))
tokenizer = CLIPTokenizer.from_pretrained(a.tokenizer)
prompt = "two  Cats' and 3 dogs, café!"
ids = tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
out = {"input_ids": ids.int()}
with torch.no_grad():
    out["text_embeddings"] = text(ids).last_hidden_state
    for name, (h, w) in {"even": (8, 12), "odd": (7, 9)}.items():
        latents, context, timesteps = torch.randn(2, 4, h, w), torch.randn(2, 77, 16), torch.tensor([999.0, 12.5])
        out |= {f"{name}.latents": latents, f"{name}.context": context, f"{name}.timesteps": timesteps, f"{name}.output": unet(latents, timesteps, encoder_hidden_states=context).sample}
    pixels = torch.rand(1, 3, 22, 18) * 2 - 1; moments = vae.encode(pixels).latent_dist
    latents = torch.randn(1, 4, 11, 9)
    out |= {"vae.pixels": pixels, "vae.mean": moments.mean, "vae.deviation": moments.std, "vae.latents": latents, "vae.decoded": vae.decode(latents / vae.config.scaling_factor).sample}
unet.half().save_pretrained(f"{a.out}/unet", max_shard_size="600KB"); vae.half().save_pretrained(f"{a.out}/vae"); text.half().save_pretrained(f"{a.out}/text_encoder")
path = f"{a.out}/vae/diffusion_pytorch_model.safetensors"; keys = load_file(path)
for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items(): keys = {k.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): v for k, v in keys.items()}
save_file(keys, path, {"format": "pt"})
path = f"{a.out}/text_encoder/model.safetensors"; save_file({k.removeprefix("text_model."): v for k, v in load_file(path).items()}, path, {"format": "pt"})
json.dump({"_class_name": "StableDiffusionPipeline"}, open(f"{a.out}/model_index.json", "w"))
for f in (f"{a.out}/unet/config.json", f"{a.out}/vae/config.json"):
    c = json.load(open(f)); c.pop("_name_or_path", None); json.dump(c, open(f, "w"), indent=1)
save_file({k: v.contiguous() for k, v in out.items()}, f"{a.out}/reference.safetensors")
