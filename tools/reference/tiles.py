"""What diffusers computes in float32 on a CPU with the tiny model of tiny_model.py when it decodes and encodes in tiles and when convolutions wrap round,
and two tiny TAESDs with random weights, one in each layout, and their pictures.

python tools/reference/tiles.py --model inference/tests/data/tiny --out inference/tests/data/tiles"""
import argparse, json
import torch
import diffusers.models.downsampling as downsampling
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file

ap = argparse.ArgumentParser(); ap.add_argument("--model", required=True); ap.add_argument("--out", required=True); a = ap.parse_args()
torch.manual_seed(11); torch.set_num_threads(1)
load = lambda cls, part: cls.from_pretrained(f"{a.model}/{part}", torch_dtype=torch.float32).eval()
vae, unet = load(AutoencoderKL, "vae"), load(UNet2DConditionModel, "unet")
out = {}
with torch.no_grad():
    # Tiles of 16 latents overlapping by 4: two down and three across.
    latents, pixels = torch.randn(1, 4, 20, 34), torch.rand(1, 3, 40, 68) * 2 - 1
    vae.enable_tiling(); vae.tile_latent_min_size, vae.tile_sample_min_size = 16, 32
    moments = vae.encode(pixels).latent_dist
    out |= {"tiles.latents": latents, "tiles.pixels": pixels, "tiles.decoded": vae.decode(latents / vae.config.scaling_factor).sample, "tiles.mean": moments.mean, "tiles.deviation": moments.std}
    vae.disable_tiling()
    # The zeros that a halving convolution without padding gets after its edges are the only ones that are not a convolution's own.
    pad = downsampling.F.pad
    class Wrapping:
        def __getattr__(self, name): return getattr(torch.nn.functional, name)
        def pad(self, x, amounts, mode="constant", value=0): return pad(x, amounts, mode="circular")
    downsampling.F = Wrapping()
    for net in (vae, unet):
        for m in net.modules():
            if isinstance(m, torch.nn.Conv2d) and m.kernel_size[0] > 1: m.padding_mode = "circular"; m._reversed_padding_repeated_twice = [p for p in reversed(m.padding) for _ in (0, 1)]
    latents, pixels, context, timesteps = torch.randn(1, 4, 8, 12), torch.rand(1, 3, 16, 24) * 2 - 1, torch.randn(1, 77, 16), torch.tensor([321.0])
    moments = vae.encode(pixels).latent_dist
    out |= {"wrap.latents": latents, "wrap.pixels": pixels, "wrap.context": context, "wrap.timesteps": timesteps, "wrap.output": unet(latents, timesteps, encoder_hidden_states=context).sample,
        "wrap.decoded": vae.decode(latents / vae.config.scaling_factor).sample, "wrap.mean": moments.mean, "wrap.deviation": moments.std}
    def random_taesd(**blocks):
        n = len(blocks["num_decoder_blocks"])
        tiny = AutoencoderTiny(encoder_block_out_channels=(8,) * n, decoder_block_out_channels=(8,) * n, num_encoder_blocks=(1,) * n, **blocks)
        for m in tiny.modules():
            if isinstance(m, torch.nn.Conv2d): m.weight.mul_(1.7)
        return tiny.half().float().eval()
    tiny, original = random_taesd(num_decoder_blocks=(2, 1, 1, 1)), random_taesd(num_decoder_blocks=(1, 1, 1))
    latents = 2 * torch.randn(1, 4, 9, 7)
    out |= {"taesd.latents": latents, "taesd.decoded": tiny.decode(latents).sample, "taesd.decoded_by_original": original.decode(latents).sample}
tiny.half().save_pretrained(f"{a.out}/taesd"); f = f"{a.out}/taesd/config.json"
c = json.load(open(f)); c.pop("_name_or_path", None); json.dump(c, open(f, "w"), indent=1)
number = lambda key: ".".join([str(int(key.split(".")[2]) + 1)] + key.split(".")[3:])  # the original counts the clamp, which has no weights
save_file({number(k): v.half().contiguous() for k, v in original.state_dict().items() if k.startswith("decoder.")}, f"{a.out}/taesd_decoder.safetensors")
save_file({k: v.contiguous() for k, v in out.items()}, f"{a.out}/reference.safetensors")
