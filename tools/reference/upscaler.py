"""What torch makes of two small pictures with the super-resolution network, in float32 on a CPU; and tiny networks with random weights in every layout, each with what it makes of a small picture.

python tools/reference/upscaler.py --weights models/starter/upscaler/realesr-animevideov3-x4.safetensors --images models/starter/reference --out inference/tests/data/upscale"""
import argparse
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

class SRVGGNetCompact(nn.Module):
    def __init__(self, feat=64, convs=16, scale=4):
        super().__init__(); self.scale = scale; body = [nn.Conv2d(3, feat, 3, 1, 1), nn.PReLU(feat)]
        for _ in range(convs): body += [nn.Conv2d(feat, feat, 3, 1, 1), nn.PReLU(feat)]
        self.body = nn.ModuleList(body + [nn.Conv2d(feat, 3 * scale * scale, 3, 1, 1)])
    def forward(self, x):
        y = x
        for m in self.body: y = m(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")

def conv(i, o): return nn.Conv2d(i, o, 3, 1, 1)

class Dense(nn.Module):
    """A dense block; in the old layout each convolution stands in a Sequential of its own."""
    def __init__(self, feat, grow, old):
        super().__init__()
        for i in range(5): c = conv(feat + i * grow, feat if i == 4 else grow); setattr(self, f"conv{i + 1}", nn.Sequential(c) if old else c)
    def forward(self, x):
        seen = [x]
        for i in range(1, 5): seen.append(F.leaky_relu(getattr(self, f"conv{i}")(torch.cat(seen, 1)), 0.2))
        return self.conv5(torch.cat(seen, 1)) * 0.2 + x

class Block(nn.Module):
    def __init__(self, feat, grow, old):
        super().__init__(); self.names = [f"RDB{i}" if old else f"rdb{i}" for i in (1, 2, 3)]
        for n in self.names: setattr(self, n, Dense(feat, grow, old))
    def forward(self, x):
        y = x
        for n in self.names: y = getattr(self, n)(y)
        return y * 0.2 + x

class RRDBNet(nn.Module):
    """BasicSR's: always two doublings; for factors 2 and 1 squares of pixels are laid into channels first."""
    def __init__(self, scale, feat=4, grow=2, blocks=2):
        super().__init__(); self.square = 4 // scale
        self.conv_first = conv(3 * self.square ** 2, feat); self.body = nn.Sequential(*(Block(feat, grow, False) for _ in range(blocks))); self.conv_body = conv(feat, feat)
        self.conv_up1, self.conv_up2, self.conv_hr, self.conv_last = conv(feat, feat), conv(feat, feat), conv(feat, feat), conv(feat, 3)
    def forward(self, x):
        h, w = x.shape[2:]; x = F.pad(x, (0, -w % self.square, 0, -h % self.square), "reflect"); x = F.pixel_unshuffle(x, self.square)
        y = self.conv_first(x); y = y + self.conv_body(self.body(y))
        for up in (self.conv_up1, self.conv_up2): y = F.leaky_relu(up(F.interpolate(y, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(y), 0.2))[:, :, : h * 4 // self.square, : w * 4 // self.square]

class Shortcut(nn.Module):
    def __init__(self, sub): super().__init__(); self.sub = sub
    def forward(self, x): return x + self.sub(x)

class OldESRGAN(nn.Module):
    """The first ESRGAN's: one Sequential."""
    def __init__(self, doublings, feat=4, grow=2, blocks=2):
        super().__init__(); layers = [conv(3, feat), Shortcut(nn.Sequential(*(Block(feat, grow, True) for _ in range(blocks)), conv(feat, feat)))]
        for _ in range(doublings): layers += [nn.Upsample(scale_factor=2, mode="nearest"), conv(feat, feat), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, conv(feat, feat), nn.LeakyReLU(0.2), conv(feat, 3))
    def forward(self, x): return self.model(x)

def write_tiny(out):
    torch.manual_seed(5); torch.set_num_threads(1); reference = {}
    for name, prefix, net in (("x4", "params_ema.", RRDBNet(4)), ("x2", "params.", RRDBNet(2)), ("x1", "", RRDBNet(1)), ("old_x4", "", OldESRGAN(2)), ("old_x2", "", OldESRGAN(1)),
            ("old_x1", "", OldESRGAN(0)), ("compact_x2", "params.", SRVGGNetCompact(8, 2, 2))):
        with torch.no_grad():
            for m in net.modules():
                if isinstance(m, nn.Conv2d): nn.init.kaiming_normal_(m.weight, 0.2); m.weight.mul_(0.9)
            net.half().float(); x = torch.rand(1, 3, 9, 14); reference |= {f"{name}.pixels": x, f"{name}.enlarged": net(x)}
        weights = {prefix + k: v.half().contiguous() for k, v in net.state_dict().items()}
        save_file(weights, f"{out}/tiny/{name}.safetensors")
        if name == "x4":  # the official ESRGAN's second naming
            for old, new in (("params_ema.", ""), ("conv_body", "trunk_conv"), ("conv_up", "upconv"), ("conv_hr", "HRconv"), ("body.", "RRDB_trunk."), (".rdb", ".RDB")):
                weights = {k.replace(old, new): v for k, v in weights.items()}
            save_file(weights, f"{out}/tiny/trunk_x4.safetensors")
    save_file({k: v.contiguous() for k, v in reference.items()}, f"{out}/tiny/reference.safetensors")

ap = argparse.ArgumentParser()
for name in ("weights", "images", "out"): ap.add_argument(f"--{name}", required=True)
a = ap.parse_args(); net = SRVGGNetCompact(); net.load_state_dict({k: v.float() for k, v in load_file(a.weights).items()})
for n in (0, 1):
    image = Image.open(f"{a.images}/{n}.png").convert("RGB")
    x = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad(): y = net(x).clamp(0, 1)
    Image.fromarray((y[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(f"{a.out}/{n}.png", optimize=True)
write_tiny(a.out)
