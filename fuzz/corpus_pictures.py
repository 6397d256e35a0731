"""Pictures, and what is written in them. Needs Pillow for JPEG and WebP."""

import io
import json
import struct
import zlib

from PIL import Image

from corpus_files import save


def chunk(kind, data, length=None, crc=None):
    return struct.pack(">I", len(data) if length is None else length) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def png(width=2, height=2, depth=8, colour=2, interlace=0, before=(), after=(), pixels=None, idat=None):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" + bytes((width * channels * depth + 7) // 8)
    idat = zlib.compress(row * height if pixels is None else pixels) if idat is None else idat
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", idat) + b"".join(after) + chunk(b"IEND", b"")


def bombs():
    nothing = zlib.compress(b"")
    yield "bomb.png", png(60_000, 50_000, idat=nothing)
    yield "bomb_sides.png", png(2**31 - 1, 2**31 - 1, depth=16, colour=6, idat=nothing)
    yield "side_over.png", png(2**32 - 1, 1, idat=nothing)
    yield "largest_without_pixels.png", png(8000, 8000, depth=16, colour=6, idat=nothing)
    yield "width_0.png", png(0, 5, idat=nothing)
    yield "too_many_pixels.png", png(2, 2, pixels=bytes(1_000_000))
    yield "too_few_pixels.png", png(200, 200, pixels=bytes(10))
    yield "bad_zlib.png", png(idat=b"\x78\x9c\xff\xff\xff")
    yield "bad_sum.png", png(before=[chunk(b"tEXt", b"a\0b", crc=5)])
    yield "length_max.png", png(before=[chunk(b"tEXt", b"parameters\0b", length=2**32 - 1)])
    yield "length_2gb.png", png(before=[chunk(b"iCCP", b"x\0\0", length=2**31 - 1)])
    yield "profile.png", png(before=[chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(4_500_000), 9))])
    yield "no_pixels.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    yield "only_magic.png", b"\x89PNG\r\n\x1a\n"
    yield "empty", b""
    animation = chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0))
    yield "animated_frames_max.png", png(before=[animation])
    yield "animated_frames_31.png", png(before=[chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))])
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 2, 2, 0, 0, 1, 10, 0, 0))
    outside = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9, 9, 2**32 - 1, 5, 1, 0, 9, 9))
    yield "animated.png", png(before=[chunk(b"acTL", struct.pack(">II", 1, 0)), frame])
    yield "animated_outside.png", png(before=[chunk(b"acTL", struct.pack(">II", 1, 0)), outside])


def picture():
    for name, data in bombs():
        save("picture", name, data)
    save("picture", "rgb.png", png())
    save("picture", "grey_16.png", png(depth=16, colour=0))
    save("picture", "rgba_interlaced.png", png(9, 9, colour=6, interlace=1, pixels=bytes(2000)))
    save("picture", "palette.png", png(depth=4, colour=3, before=[chunk(b"PLTE", b"\xff\0\0\0\xff\0")]))
    save("picture", "palette_missing.png", png(depth=4, colour=3))
    save("picture", "cut_off.png", png(20, 20)[:60])
    image = Image.new("RGB", (12, 8), (200, 30, 60))
    saved = {}
    for name, options in {"jpeg.jpg": {"format": "JPEG"}, "progressive.jpg": {"format": "JPEG", "progressive": True}, "lossy.webp": {"format": "WEBP"},
                          "lossless.webp": {"format": "WEBP", "lossless": True}}.items():
        file = io.BytesIO()
        image.save(file, **options)
        saved[name] = file.getvalue()
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    image.save(file, format="JPEG", exif=exif)
    saved["turned.jpg"] = file.getvalue()
    file = io.BytesIO()
    image.save(file, format="WEBP", save_all=True, append_images=[Image.new("RGBA", (12, 8), (0, 0, 255, 90))])
    saved["animated.webp"] = file.getvalue()
    for name, data in saved.items():
        save("picture", name, data)
    scan = saved["progressive.jpg"].rindex(b"\xff\xda")
    save("picture", "cut_at_scan.jpg", saved["progressive.jpg"][:scan])
    file = io.BytesIO()
    image.save(file, format="GIF", save_all=True, append_images=[Image.new("RGB", (12, 8), (0, 0, 255))])
    save("picture", "animated.gif", file.getvalue())
    save("picture", "thin.png", png(64_000_000, 1, pixels=b""))
    save("picture", "thin_8.png", png(8, 8_000_000, pixels=b""))
    save("picture", "cut_off.jpg", saved["jpeg.jpg"][:-40])
    save("picture", "cut_off.webp", saved["lossy.webp"][:30])
    sof = saved["jpeg.jpg"].index(b"\xff\xc0")
    save("picture", "bomb.jpg", saved["jpeg.jpg"][:sof + 5] + b"\xff\xdc\xff\xdc" + saved["jpeg.jpg"][sof + 9:])
    save("picture", "height_0.jpg", saved["jpeg.jpg"][:sof + 5] + b"\0\0" + saved["jpeg.jpg"][sof + 7:])
    save("picture", "exif_broken.jpg", saved["turned.jpg"].replace(b"\x12\x01\x03\0", b"\x12\x01\xff\xff"))
    canvas = b"VP8X\x0a\0\0\0\x02\0\0\0" + b"\xff\xff\xff" * 2
    save("picture", "bomb_canvas.webp", b"RIFF" + struct.pack("<I", len(canvas) + 4) + b"WEBP" + canvas)
    lossless = bytearray(saved["lossless.webp"])
    place = lossless.index(b"VP8L") + 9
    lossless[place:place + 4] = b"\xff\xff\xff\x0f"
    save("picture", "bomb_lossless.webp", bytes(lossless))
    save("picture", "riff_length.webp", saved["lossy.webp"][:4] + b"\xff\xff\xff\xff" + saved["lossy.webp"][8:])
    save("picture", "gif", b"GIF89a\x01\0\x01\0\0\0\0;")
    save("picture", "bmp", b"BM\x46\0\0\0")
    save("picture", "svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")


def metadata():
    for name, data in bombs():
        save("metadata", name, data)
    parameters = b"a fox\nNegative prompt: text\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 42, Size: 768x512, Clip skip: 2, Hires upscale: 2"
    text = lambda key, value: chunk(b"tEXt", key + b"\0" + value)
    packed = lambda key, value: chunk(b"zTXt", key + b"\0\0" + value)
    long = lambda key, value, flags=b"\0\0": chunk(b"iTXt", key + b"\0" + flags + b"\0\0" + value)
    zeros = zlib.compress(bytes(4_500_000), 9)
    for name, chunks in {
        "parameters": [text(b"parameters", parameters)], "packed": [packed(b"parameters", zlib.compress(parameters))],
        "long": [long(b"parameters", parameters)], "long_packed": [long(b"parameters", zlib.compress(parameters), b"\1\0")],
        "packed_bomb": [packed(b"parameters", zeros)], "long_bomb": [long(b"parameters", zeros, b"\1\0")],
        "packed_broken": [packed(b"parameters", b"\x78\x9c\xff\xff")], "long_broken": [long(b"parameters", b"\x78\x9c\xff\xff", b"\1\0")],
        "not_utf8": [long(b"parameters", b"a \xff\xfe")], "not_utf8_packed": [long(b"atelier", zlib.compress(b"\xff\xfe"), b"\1\0")],
        "flags": [long(b"parameters", b"a", b"\7\7")], "key_empty": [text(b"", b"a")], "key_long": [text(b"k" * 80, b"a")], "no_separator": [chunk(b"tEXt", b"parameters")],
        "ours_wrong": [long(b"atelier", b'{"task": 5}')], "ours_no_json": [long(b"atelier", b"{{{")], "ours_deep": [long(b"atelier", b"[" * 1000)],
        "ours_empty": [long(b"atelier", b"")], "many": [text(b"k%d" % i, b"v") for i in range(400)], "twice": [text(b"parameters", b"a"), text(b"parameters", b"b")],
        "ours": [long(b"atelier", json.dumps({"task": {"text_to_image": {"prompt": "a fox"}}}).encode())],
    }.items():
        save("metadata", f"{name}.png", png(before=chunks))
    save("metadata", "after_pixels.png", png(after=[text(b"parameters", parameters)]))
    save("metadata", "cut_off.png", png(before=[text(b"parameters", parameters)])[:80])
    save("metadata", "a1111.txt", parameters)
    swarm = json.dumps({"sui_image_params": {"prompt": "a fox", "seed": 7, "steps": 6, "width": 64, "height": 48, "loras": ["ink"], "loraweights": ["0.5"]}}, indent=2).encode()
    fooocus = json.dumps({"base_model": "m", "prompt": "a fox", "resolution": "(64, 48)", "seed": "7", "lora_combined_1": "ink : 0.5", "metadata_scheme": "fooocus"}).encode()
    comfy = b'{"3": {"class_type": "KSampler", "inputs": {"seed": 7}}}'
    for name, chunks in {"swarm": [text(b"parameters", swarm)], "fooocus": [text(b"parameters", fooocus)], "comfy": [text(b"prompt", comfy)],
                         "swarm_cut": [text(b"parameters", swarm[:90])], "many_bombs": [packed(b"parameters", zeros)] * 9 + [packed(b"k", zeros)] * 9}.items():
        save("metadata", f"{name}.png", png(before=chunks))
    save("metadata", "settings.txt", "a\nSteps: 3, Hashes: {\"a\": [\"b, c\"]}, Template: \"x\\n\", y\", Hires resize: 0x0, First pass size: 0x0, Adapter: a at 1")
    image, comment = Image.new("RGB", (12, 8), (200, 30, 60)), parameters.decode()
    for name, value in {"a1111.jpg": b"UNICODE\0" + comment.encode("utf-16-be"), "a1111_jpeg_end.jpg": b"UNICODE\0" + comment.encode("utf-16-le"),
                        "a1111.webp": b"UNICODE\0" + comment.encode("utf-16-be"), "swarm.jpg": b"ASCII\0\0\0" + swarm, "jis.jpg": b"JIS\0\0\0\0\0\x1b$B8Q\x1b(B"}.items():
        exif, file = Image.Exif(), io.BytesIO()
        exif.get_ifd(0x8769)[0x9286] = value
        image.save(file, format="WEBP" if name.endswith("webp") else "JPEG", exif=exif)
        save("metadata", name, file.getvalue())
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x9286] = fooocus.decode()
    image.save(file, format="WEBP", exif=exif)
    save("metadata", "fooocus.webp", file.getvalue())
    save("metadata", "odd.txt", "a\nSteps: 99999999999, Seed: -1, Size: 4294967296x0, CFG scale: 1e999, Note: \"\\ud800\", : , :::, \"x")
    save("metadata", "commas.txt", "a\n" + ", " * 1000)
    save("metadata", "fields.txt", "a\n" + "x: y, " * 500)
    save("metadata", "quotes.txt", "a\n" + 'x: "y, ' * 500)
    save("metadata", "jpeg.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF")
