"""What torch makes of two small pictures with the super-resolution network, in float32 on a CPU.

python tools/reference/upscaler.py --weights models/starter/upscaler/realesr-animevideov3-x4.safetensors --images models/starter/reference --out inference/tests/data/upscale"""
import argparse
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

class SRVGGNetCompact(nn.Module):
    def __init__(self, feat=64, convs=16, scale=4):
        super().__init__(); self.scale = scale; body = [nn.Conv2d(3, feat, 3, 1, 1), nn.PReLU(feat)]
        for _ in range(convs): body += [nn.Conv2d(feat, feat, 3, 1, 1), nn.PReLU(feat)]
        self.body = nn.ModuleList(body + [nn.Conv2d(feat, 3 * scale * scale, 3, 1, 1)])
    def forward(self, x):
        y = x
        for m in self.body: y = m(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")

ap = argparse.ArgumentParser()
for name in ("weights", "images", "out"): ap.add_argument(f"--{name}", required=True)
a = ap.parse_args(); net = SRVGGNetCompact(); net.load_state_dict({k: v.float() for k, v in load_file(a.weights).items()})
for n in (0, 1):
    image = Image.open(f"{a.images}/{n}.png").convert("RGB")
    x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad(): y = net(x).clamp(0, 1)
    Image.fromarray((y[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(f"{a.out}/{n}.png", optimize=True)
