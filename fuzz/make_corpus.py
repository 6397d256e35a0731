"""Writes the first inputs of every fuzz target: `python make_corpus.py` in this folder. Needs Pillow for JPEG and WebP."""

import io
import json
import struct
import zlib
from pathlib import Path

from PIL import Image

CORPUS = Path(__file__).parent / "corpus"
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I64": 8, "U8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U16": 2, "I32": 4, "U32": 4, "U64": 8, "BOOL": 1, "I16": 2, "C64": 8}
HUGE = 2**64 - 1


def save(target, name, data):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def number(i):
    return ((i * 2654435761) % 2**32 / 2**31 - 1) / 4


def count(shape):
    n = 1
    for side in shape:
        n *= side
    return n


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensors(shapes, metadata=None, dtype="F32", data=None):
    """A file of tensors: shapes by name, or pairs of type and shape."""
    header, body = ({"__metadata__": metadata} if metadata else {}), b""
    for i, (name, shape) in enumerate(shapes.items()):
        kind, shape = shape if isinstance(shape, tuple) else (dtype, shape)
        n = count(shape)
        if kind == "F32":
            values = struct.pack(f"<{n}f", *(number(i * 97 + k) for k in range(n)))
        elif kind == "I64":
            values = struct.pack(f"<{n}q", *([4] * n))
        else:
            values = bytes((k * 7 + i) % 60 for k in range(n * SIZES[kind]))
        values = data.get(name, values) if data else values
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + len(values)]}
        body += values
    return raw(header, body)


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def lies():
    """Headers that lie, for every target that reads tensors."""
    four = b"\0" * 4
    yield "empty", b""
    yield "seven_bytes", b"\x02\0\0\0\0\0\0"
    yield "length_max", struct.pack("<Q", HUGE) + b"{}"
    yield "length_100mb", struct.pack("<Q", 100_000_000) + b"{}"
    yield "length_over_100mb", struct.pack("<Q", 100_000_001) + b"{}"
    yield "cut_off", raw({"a": entry([2], 0, 8)}, four)
    yield "overlap", raw({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, four)
    yield "overlap_half", raw({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, four * 3)
    yield "gap", raw({"a": entry([1], 4, 8)}, four * 2)
    yield "tail", raw({"a": entry([1], 0, 4)}, four * 2)
    yield "twice", raw(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', four * 2)
    yield "offsets_max", raw({"a": entry([1], HUGE - 3, HUGE + 1 - 1)}, four)
    yield "offsets_backwards", raw({"a": entry([1], 4, 0)}, four)
    yield "shape_overflow", raw({"a": entry([2**63, 2**63], 0, 4)}, four)
    yield "shape_zero_then_huge", raw({"a": entry([0, HUGE, HUGE], 0, 0)})
    yield "shape_huge_then_zero", raw({"a": entry([2**62, 2**62, 0], 0, 0)})
    yield "shape_empty_huge", raw({"a": entry([0, 2**57], 0, 0)})
    yield "shape_negative", raw(b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', four)
    yield "shape_float", raw(b'{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}', four)
    yield "scalar", tensors({"a": []})
    yield "no_tensors", raw({})
    yield "only_remarks", raw({"__metadata__": {"format": "pt"}})
    yield "remarks_not_text", raw({"__metadata__": {"a": [1, {"b": None}]}, "a": entry([1], 0, 4)}, four)
    yield "remarks_null", raw({"__metadata__": None, "a": entry([1], 0, 4)}, four)
    yield "deep", raw(b'{"__metadata__":' + b"[" * 1000 + b"}")
    yield "broken_json", raw(b'{"a":', four)
    yield "not_utf8", raw(b'{"\xff\xfe":{}}', four)
    yield "dtype_unknown", raw({"a": entry([1], 0, 4, "F33\n\x1b[31m")}, four)
    yield "dtype_bits", raw({"a": entry([2], 0, 1, "F4")}, b"\0")
    yield "dtype_bool", tensors({"a": ("BOOL", [3])})
    yield "dtype_complex", tensors({"a": ("C64", [3])})
    yield "name_with_lines", raw({"a\nb\x1b[2J": entry([3], 0, 4)}, four)
    yield "name_empty", raw({"": entry([1], 0, 4)}, four)
    yield "name_long", raw({"n" * 1500: entry([2], 0, 4)}, four)
    yield "nan", tensors({"a": [2]}, data={"a": struct.pack("<2f", float("nan"), 1)})
    yield "infinite", tensors({"a": [2]}, data={"a": struct.pack("<2f", float("-inf"), 1)})
    yield "array", raw(b"[1,2]")
    yield "spaces", raw(b'{}      ')
    yield "pickle", b"\x80\x02}q\0X\x05\0\0\0modelq\x01."
    yield "zip", b"PK\x03\x04\x14\0\0\0\0\0" + b"\0" * 20
    yield "gguf", b"GGUF\x03\0\0\0" + b"\0" * 16
    yield "lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    yield "html", b"<!DOCTYPE html><html></html>"


def ldm(text, unet_prefix="model.diffusion_model.", linear=False):
    """The least that a whole model in one file needs to be looked into."""
    square = [2, 2] if linear else [2, 2, 1, 1]
    shapes = {
        "input_blocks.0.0.weight": [2, 4, 1, 1],
        "input_blocks.1.0.in_layers.2.weight": [2, 2, 1, 1],
        "input_blocks.1.0.out_layers.3.weight": [2, 2, 1, 1],
        "middle_block.1.transformer_blocks.0.norm1.weight": [2],
        "middle_block.1.transformer_blocks.0.attn2.to_k.weight": [2, 2],
        "middle_block.1.proj_in.weight": square,
        "time_embed.0.weight": [8, 2],
        "out.2.weight": [4, 2, 1, 1],
    }
    shapes = {unet_prefix + name: shape for name, shape in shapes.items()}
    vae = {
        "encoder.conv_in.weight": [2, 3, 1, 1],
        "encoder.down.0.block.0.conv1.weight": [2, 2, 1, 1],
        "decoder.conv_in.weight": [2, 4, 1, 1],
        "decoder.up.0.block.0.conv1.weight": [2, 2, 1, 1],
        "decoder.conv_out.weight": [3, 2, 1, 1],
        "decoder.mid.attn_1.q.weight": [2, 2, 1, 1],
    }
    shapes.update({"first_stage_model." + name: shape for name, shape in vae.items()})
    shapes.update(text)
    return shapes


def transformers_text():
    names = {
        "embeddings.token_embedding.weight": [4, 2],
        "embeddings.position_embedding.weight": [5, 2],
        "encoder.layers.0.mlp.fc1.weight": [2, 2],
        "encoder.layers.0.layer_norm1.weight": [2],
        "encoder.layers.0.self_attn.k_proj.weight": [2, 2],
    }
    return {"cond_stage_model.transformer.text_model." + name: shape for name, shape in names.items()}


def open_clip_text(rows=6, prefix="cond_stage_model.model."):
    names = {
        "token_embedding.weight": [4, 2],
        "positional_embedding": [5, 2],
        "transformer.resblocks.0.mlp.c_fc.weight": [2, 2],
        "transformer.resblocks.0.ln_1.weight": [2],
        "transformer.resblocks.0.attn.in_proj_weight": [rows, 2],
        "text_projection": [2, 2],
    }
    return {prefix + name: shape for name, shape in names.items()}


def weights():
    for name, data in lies():
        save("weights", name, data)
    save("weights", "types", tensors({"a": [2], "b": ("F16", [3]), "c": ("BF16", [2, 2]), "d": ("F64", [1]), "e": ("F8_E4M3", [4])}))
    save("weights", "sd1", tensors(ldm(transformers_text()), {"modelspec.title": "small"}))
    save("weights", "sd2", tensors(ldm(open_clip_text(), linear=True)))
    save("weights", "sd2_not_thirds", tensors(ldm(open_clip_text(2), linear=True)))
    xl = ldm({**{"conditioner.embedders.0.transformer." + name.removeprefix("cond_stage_model.transformer."): shape
                 for name, shape in transformers_text().items()}, **open_clip_text(prefix="conditioner.embedders.1.model.")})
    xl["model.diffusion_model.label_emb.0.0.weight"] = [8, 14]
    xl["model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight"] = [2, 4]
    save("weights", "sdxl", tensors(xl))
    quantised = ldm(transformers_text())
    for name in [name for name, shape in quantised.items() if isinstance(shape, list) and len(shape) > 1]:
        shape = quantised[name]
        quantised[name] = ("F8_E5M2" if len(name) % 2 else "F8_E4M3", shape)
        if name.endswith(".weight"):
            base = name[: -len("weight")]
            quantised[base + ("scale_weight" if len(name) % 2 else "weight_scale")] = [shape[0], 1] if len(name) % 3 else []
    save("weights", "float8_with_scales", tensors(quantised))
    wrong = {"a.weight": ("F8_E4M3", [2, 2]), "a.weight_scale": [3], "b.weight": ("F8_E4M3", [2]), "b.scale_weight": ("U8", [2]), "scaled_fp8": ("F8_E5M2", [0])}
    save("weights", "scales_that_fit_nothing", tensors(wrong))
    save("weights", "below_state_dict", tensors({f"state_dict.{name}": shape for name, shape in ldm(transformers_text()).items()}))
    save("weights", "smoothed_twin_only", tensors({name.replace("model.diffusion_model.", "model_ema.diffusion_model"): shape for name, shape in ldm(transformers_text()).items()}))
    save("weights", "says_v", tensors(ldm(open_clip_text(), linear=True), {"modelspec.prediction_type": "V-Prediction", "modelspec.architecture": "stable-diffusion-v2-512/x"}))
    save("weights", "nine_dimensions", raw({"a": entry([1] * 9, 0, 4)}, b"\0" * 4))
    save("weights", "no_text", tensors(ldm({})))
    save("weights", "unet_without_the_rest", tensors({"model.diffusion_model.input_blocks.0.0.weight": [2, 4, 1, 1]}))
    many = ldm(transformers_text())
    for level in range(40):
        many[f"first_stage_model.decoder.up.{level}.block.0.conv1.weight"] = [2, 2, 1, 1]
        many[f"first_stage_model.encoder.down.{level}.block.0.conv1.weight"] = [2, 2, 1, 1]
        many[f"model.diffusion_model.input_blocks.{level + 2}.0.op.weight"] = [1]
    save("weights", "forty_levels", tensors(many))
    zero = {name: [0 if side == 2 else side for side in shape] for name, shape in ldm(transformers_text()).items()}
    save("weights", "width_0", tensors(zero))


def adapter():
    for name, data in lies():
        save("adapter", name, data)
    q, k = "mid_block_attentions_0_transformer_blocks_0_attn1_to_q", "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    conv, norm, text = "down_blocks_0_resnets_0_conv1", "down_blocks_0_resnets_0_norm1", "text_model_encoder_layers_0_self_attn_q_proj"
    unet = "lora_unet_"
    low = {f"{unet}{q}.lora_down.weight": [2, 8], f"{unet}{q}.lora_up.weight": [8, 2], f"{unet}{q}.alpha": []}
    save("adapter", "kohya", tensors({**low, f"lora_te_{text}.lora_down.weight": [2, 8], f"lora_te_{text}.lora_up.weight": [8, 2]}))
    save("adapter", "alpha_whole", tensors({**low, f"{unet}{q}.alpha": ("I64", [])}))
    save("adapter", "alpha_empty", tensors({**low, f"{unet}{q}.alpha": [0]}))
    save("adapter", "alpha_nan", tensors(low, data={f"{unet}{q}.alpha": struct.pack("<f", float("nan"))}))
    save("adapter", "nan", tensors(low, data={f"{unet}{q}.lora_up.weight": struct.pack("<16f", *[float("nan")] * 16)}))
    save("adapter", "whole_numbers", tensors({name: ("I16", shape) for name, shape in low.items()}))
    save("adapter", "no_up", tensors({f"{unet}{q}.lora_down.weight": [2, 8]}))
    save("adapter", "ranks", tensors({f"{unet}{q}.lora_down.weight": [2, 8], f"{unet}{q}.lora_up.weight": [8, 3]}))
    save("adapter", "rank_0", tensors({f"{unet}{q}.lora_down.weight": [0, 8], f"{unet}{q}.lora_up.weight": [8, 0]}))
    save("adapter", "other_width", tensors({f"{unet}{q}.lora_down.weight": [1, 9], f"{unet}{q}.lora_up.weight": [9, 1]}))
    save("adapter", "nothing_matches", tensors({f"{unet}nowhere.lora_down.weight": [1, 2], f"{unet}nowhere.lora_up.weight": [2, 1]}))
    save("adapter", "locon", tensors({f"{unet}{conv}.lora_down.weight": [2, 32, 3, 3], f"{unet}{conv}.lora_up.weight": [32, 2, 1, 1]}))
    save("adapter", "tucker", tensors({
        f"{unet}{conv}.lora_down.weight": [2, 32, 1, 1], f"{unet}{conv}.lora_up.weight": [32, 2, 1, 1], f"{unet}{conv}.lora_mid.weight": [2, 2, 3, 3]}))
    save("adapter", "tucker_flat", tensors({
        f"{unet}{q}.lora_down.weight": [2, 8], f"{unet}{q}.lora_up.weight": [8, 2], f"{unet}{q}.lora_mid.weight": [2]}))
    hada = {f"{unet}{q}.hada_w1_a": [8, 2], f"{unet}{q}.hada_w1_b": [2, 8], f"{unet}{q}.hada_w2_a": [8, 2], f"{unet}{q}.hada_w2_b": [2, 8]}
    save("adapter", "loha", tensors(hada))
    save("adapter", "loha_second_larger", tensors({**hada, f"{unet}{q}.hada_w2_a": [900, 1], f"{unet}{q}.hada_w2_b": [1, 900]}))
    save("adapter", "loha_half", tensors({name: shape for name, shape in hada.items() if "w2" not in name}))
    save("adapter", "loha_conv", tensors({
        f"{unet}{conv}.hada_w1_a": [2, 32], f"{unet}{conv}.hada_w1_b": [2, 32], f"{unet}{conv}.hada_t1": [2, 2, 3, 3],
        f"{unet}{conv}.hada_w2_a": [2, 32], f"{unet}{conv}.hada_w2_b": [2, 32], f"{unet}{conv}.hada_t2": [2, 2, 3, 3]}))
    save("adapter", "lokr", tensors({f"{unet}{k}.lokr_w1": [4, 4], f"{unet}{k}.lokr_w2_a": [8, 2], f"{unet}{k}.lokr_w2_b": [2, 8]}))
    save("adapter", "lokr_zero", tensors({f"{unet}{k}.lokr_w1": [0, 4], f"{unet}{k}.lokr_w2": [8, 8]}))
    save("adapter", "lokr_huge", raw({f"{unet}{k}.lokr_w1": entry([2**40, 0], 0, 0), f"{unet}{k}.lokr_w2": entry([2**40, 0], 0, 0)}))
    save("adapter", "difference", tensors({f"{unet}{norm}.diff": [32], f"{unet}{norm}.diff_b": [32], f"{unet}{q}.diff": [8, 8]}))
    save("adapter", "dora", tensors({**low, f"{unet}{q}.dora_scale": [8, 1]}))
    save("adapter", "dora_columns", tensors({**low, f"{unet}{q}.dora_scale": [1, 8]}))
    save("adapter", "dora_wrong", tensors({**low, f"{unet}{q}.dora_scale": [3]}))
    peft = "base_model.model.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    settings = {"r": 2, "lora_alpha": 8, "use_rslora": True, "alpha_pattern": {"to_q": 3}}
    save("adapter", "peft", tensors({f"{peft}.lora_A.weight": [2, 8], f"{peft}.lora_B.weight": [8, 2], f"{peft}.lora_magnitude_vector": [8]},
                                    {"lora_adapter_metadata": json.dumps(settings)}))
    save("adapter", "peft_rank_0", tensors({f"{peft}.lora_A.weight": [2, 8], f"{peft}.lora_B.weight": [8, 2]},
                                           {"lora_adapter_metadata": json.dumps({"r": 0, "lora_alpha": 1e308})}))
    save("adapter", "remark_not_json", tensors(low, {"lora_adapter_metadata": "{{{"}))
    save("adapter", "third", tensors({
        "lora_te2_transformer_resblocks_0_attn_in_proj.lora_down.weight": [2, 8], "lora_te2_transformer_resblocks_0_attn_in_proj.lora_up.weight": [24, 2]}))
    save("adapter", "oft", tensors({f"{unet}{q}.oft_blocks": [2, 4, 4]}))
    ldm, clip = "middle_block.1.transformer_blocks.0.attn1.to_q", "encoder.layers.0.self_attn"
    pair = lambda stem: {f"{stem}.lora_down.weight": [2, 8], f"{stem}.lora_up.weight": [8, 2]}
    save("adapter", "one_trainer", tensors({**pair(f"unet.{ldm}"), **pair(f"lora_te1.text_model.{clip}.q_proj"), **pair(f"lora_te2_{clip.replace('.', '_')}_v_proj")}))
    save("adapter", "comfy", tensors({**pair(f"diffusion_model.{ldm}"), **pair(f"text_encoders.clip_l.transformer.text_model.{clip}.q_proj"),
                                      **pair(f"text_encoders.clip_g.transformer.text_model.{clip}.v_proj")}))
    save("adapter", "omi", tensors({**pair(f"unet.{ldm}"), **pair(f"clip_l.text_model.{clip}.q_proj"), **pair(f"clip_g.text_model.{clip}.v_proj")}))
    save("adapter", "no_prefix", tensors({**pair(ldm), **pair(f"{clip}.q_proj"), **pair(f"{clip}.v_proj")}))
    save("adapter", "prefixes_alone", tensors({f"{prefix}.lora_down.weight": [1, 1] for prefix in ["lora_unet_", "lora_te_", "text_encoders.clip_g.", "unet", "."]}))
    save("adapter", "two_of_one", tensors({**low, f"unet.{ldm}.lora_A.weight": [2, 8], f"unet.{ldm}.lora_A.default.weight": [2, 8], f"unet.{ldm}.lora_B.weight": [8, 2]}))
    save("adapter", "text_of_other_width", tensors({f"lora_te_{text}.lora_down.weight": [1, 9], f"lora_te_{text}.lora_up.weight": [9, 1]}))
    for kind in ["I8", "U8", "I16", "U16", "I32", "U32", "U64", "F8_E4M3", "F8_E5M2", "F16", "BF16", "F64", "BOOL", "C64"]:
        save("adapter", f"alpha_{kind.lower()}", tensors({**low, f"{unet}{q}.alpha": (kind, [])}, data={f"{unet}{q}.alpha": b"\x01" * SIZES[kind]}))
    save("adapter", "alpha_long", tensors({**low, f"{unet}{q}.alpha": [9]}))
    save("adapter", "glora", tensors({f"{unet}{q}.{end}.weight": [8, 8] for end in ["a1", "a2", "b1", "b2"]}))
    save("adapter", "boft", tensors({f"{unet}{q}.oft_blocks": [2, 4, 2, 2]}))
    save("adapter", "ia3", tensors({f"{unet}{q}.weight": [8, 1], f"{unet}{q}.on_input": []}))


def embedding():
    for name, data in lies():
        save("embedding", name, data)
    save("embedding", "one", tensors({"emb_params": [2, 8]}))
    save("embedding", "xl", tensors({"clip_l": ("F16", [2, 8]), "clip_g": [2, 12]}))
    save("embedding", "xl_half", tensors({"clip_l": [2, 8]}))
    save("embedding", "word", tensors({"<cat>": [8]}))
    save("embedding", "word_of_spaces", tensors({"  ": [8]}))
    save("embedding", "two_words", tensors({"a": [8], "b": [8]}))
    save("embedding", "cube", tensors({"emb_params": [2, 2, 2]}))
    save("embedding", "whole_numbers", tensors({"emb_params": ("I64", [2, 2])}))
    save("embedding", "none", tensors({"emb_params": [0, 8]}))


def upscaler():
    for name, data in lies():
        save("upscaler", name, data)
    compact = {"body.0.weight": [2, 3, 3, 3], "body.0.bias": [2], "body.1.weight": [2], "body.2.weight": [12, 2, 3, 3], "body.2.bias": [12]}
    save("upscaler", "compact", tensors(compact))
    save("upscaler", "compact_params", tensors({"params." + name: shape for name, shape in compact.items()}))
    save("upscaler", "compact_seven", tensors({**compact, "body.2.weight": [7, 2, 3, 3], "body.2.bias": [7]}))
    save("upscaler", "compact_width_0", tensors({**compact, "body.0.weight": [0, 3, 3, 3], "body.0.bias": [0], "body.1.weight": [0]}))
    rrdb = {"conv_first.weight": [2, 3, 3, 3], "conv_first.bias": [2]}
    for dense in "123":
        for i, (rows, columns) in enumerate([(1, 2), (1, 3), (1, 4), (1, 5), (2, 6)], start=1):
            rrdb[f"body.0.rdb{dense}.conv{i}.weight"], rrdb[f"body.0.rdb{dense}.conv{i}.bias"] = [rows, columns, 3, 3], [rows]
    for name, rows in [("conv_body", 2), ("conv_up1", 2), ("conv_hr", 2), ("conv_last", 3)]:
        rrdb[f"{name}.weight"], rrdb[f"{name}.bias"] = [rows, 2, 3, 3], [rows]
    save("upscaler", "rrdb", tensors(rrdb))
    save("upscaler", "rrdb_trunk", tensors({name.replace("body.0.rdb", "RRDB_trunk.0.RDB").replace("conv_body", "trunk_conv").replace(
        "conv_up", "upconv").replace("conv_hr", "HRconv"): shape for name, shape in rrdb.items()}))
    save("upscaler", "rrdb_many_doublings", tensors({**rrdb, **{f"conv_up{i}.weight": [1] for i in range(2, 70)}}))
    save("upscaler", "rrdb_no_growth", tensors({**rrdb, "body.0.rdb1.conv1.weight": [0, 2, 3, 3], "body.0.rdb1.conv1.bias": [0]}))
    save("upscaler", "rrdb_alone", tensors({"body.0.rdb1.conv1.weight": [1, 2, 3, 3]}))
    save("upscaler", "old_alone", tensors({"model.1.sub.0.RDB1.conv1.0.weight": [1, 2, 3, 3]}))


def prompt():
    for name, text in {
        "plain": "a fox in snow", "empty": "", "weights": "(a fox:1.3), [snow], ((trees)), (wind:-0.5)", "break": "a fox BREAK in snow BREAK",
        "escaped": r"a fox \(red\) \[x\] \\ \a", "unclosed": "((((a fox", "closed": "a fox))))]]", "brackets": "(" * 1500 + "fox" + ")" * 1500,
        "square": "[" * 1500 + "fox", "mixed": "([" * 800 + "fox" + ")]" * 800, "lora": "<lora:ink:0.8> a fox <lyco:b:te=0.5:unet=1>",
        "lora_open": "<lora:" * 600, "lora_bad": "<lora:ink:1e999> <lora:x:NaN> <lora::1> <lora:a:101>", "colons": ":" * 2000,
        "weight_large": "(fox:1000000000)", "weight_max": "(fox:99999999999999999999999999999999999999.9)", "weight_dots": "(fox:1.2.3) (fox:.) (fox:+) (fox:-.5)",
        "backslashes": "\\" * 2001, "breaks": "BREAK " * 500, "break_inside": "(BREAK:1.5) xBREAK BREAKy BREAKBREAK", "unicode": "狐🦊é\u0301\u200d(ß:1.1)İ",
        "schedules": "[red:green:0.5] [red::5] [a:[b|c]:-1e3] [3:30] [" + "a:" * 500 + "0.5]", "alternations": "[a|b||c] {a|b} " + "[|" * 800 + "]" * 800,
        "tags": "<hypernet:a:1> <LORA:x> <" + "t:" * 500 + "> <:a:1> <a:b:1>", "wildcards": "__a/b*__ " + "__a" * 700 + " AND " * 200,
        "nested_weights": "(a (b (c:9):9):9)" * 50, "spaces": "(a :  1.5   )" + " " * 1000,
    }.items():
        save("prompt", name, text)
    save("prompt", "not_utf8", b"(a \xff\xfe:1.2) \x80")
    save("prompt", "zeros", b"\0" * 300)


def scheduler():
    base = {"_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
            "skip_prk_steps": True, "steps_offset": 1, "prediction_type": "epsilon", "timestep_spacing": "leading"}
    changes = {
        "sd1": {}, "two_timesteps": {"num_train_timesteps": 2}, "one_timestep": {"num_train_timesteps": 1}, "many_timesteps": {"num_train_timesteps": 10**18},
        "zero_snr": {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "v_prediction"},
        "clipped": {"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": 1e300, "timestep_spacing": "trailing"},
        "clipped_all": {"lambda_min_clipped": -5.1, "timestep_spacing": "trailing", "num_train_timesteps": 50},
        "betas": {"trained_betas": [0.1, 0.2, 0.3]}, "betas_odd": {"trained_betas": [-5.0, 2.0, 1e39, 1.0]}, "betas_none": {"trained_betas": []},
        "betas_and_no_timesteps": {"trained_betas": [0.1, 0.2], "num_train_timesteps": 0, "use_flow_sigmas": True},
        "beta_negative": {"beta_start": -1.0, "beta_end": 1e308}, "offset": {"steps_offset": -(2**63)}, "offset_large": {"steps_offset": 2**63 - 1},
        "sigmas": {"use_karras_sigmas": True, "sigma_min": -1.0, "sigma_max": 0.0}, "sigmas_zero": {"use_exponential_sigmas": True, "sigma_min": 0, "sigma_max": 0},
        "beta_sigmas": {"use_beta_sigmas": True, "final_sigmas_type": "sigma_min"}, "order": {"solver_order": 0}, "order_three": {"solver_order": 3, "algorithm_type": "sde-dpmsolver++"},
        "flow": {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 0.0, "shift_terminal": 1.0},
        "flow_by_size": {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True},
        "flow_shift": {"use_flow_sigmas": True, "flow_shift": -3.0, "shift_terminal": 0.1}, "lcm": {"_class_name": "LCMScheduler", "original_inference_steps": 0},
        "lcm_many": {"_class_name": "LCMScheduler", "original_inference_steps": 2**63}, "lu": {"use_lu_lambdas": True}, "log_linear": {"interpolation_type": "log_linear"},
        "continuous": {"_class_name": "EulerDiscreteScheduler", "timestep_type": "continuous", "prediction_type": "v_prediction"},
        "corrector": {"_class_name": "UniPCMultistepScheduler", "disable_corrector": [0, 2**63], "solver_type": "bh1"}, "unknown_class": {"_class_name": "KarrasVe\n\x1b[0m"},
        "unknown_word": {"timestep_spacing": "sideways\nand up"}, "runge_kutta": {"skip_prk_steps": False, "num_train_timesteps": 9}, "no_class": {"_class_name": None},
        "large_variance": {"_class_name": "DDPMScheduler", "variance_type": "fixed_large", "thresholding": True, "sample_max_value": -1.0},
    }
    for name, change in changes.items():
        save("scheduler", name, json.dumps({**base, **change}))
    save("scheduler", "empty", "")
    save("scheduler", "array", "[1]")
    save("scheduler", "no_keys", "{}")
    save("scheduler", "infinite", '{"_class_name": "DDIMScheduler", "lambda_min_clipped": -Infinity, "sigma_max": Infinity}')
    save("scheduler", "deep", '{"trained_betas":' + "[" * 1000)
    save("scheduler", "cut_off", json.dumps(base)[:90])
    save("scheduler", "twice", '{"num_train_timesteps": 5, "num_train_timesteps": 6}')
    save("scheduler", "text_for_number", '{"num_train_timesteps": "a\\nb"}')


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


for make in [weights, adapter, embedding, upscaler, prompt, scheduler, picture, metadata]:
    make()
files = [path for path in CORPUS.rglob("*") if path.is_file()]
print(f"{len(files)} files, {sum(path.stat().st_size for path in files)} bytes")
