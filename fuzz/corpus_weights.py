"""Files of weights: models, adapters, learned words and upscalers, whole and broken."""

import json
import struct

from corpus_files import HUGE, SIZES, entry, raw, save, tensors


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
