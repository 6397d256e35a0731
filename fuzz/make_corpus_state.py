"""Writes the first inputs of the fuzz target `state`: `python make_corpus_state.py` in this folder. The format is in `inference/src/state/bytes.rs`."""

import hashlib
import json
import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus/state"
SIZES = {"F32": 4, "F16": 2, "U32": 4, "F64": 8}
WORDS = 624
BELONGS_TO = {
    "task": "a" * 64,
    "model": "b" * 64,
    "device": {"kind": "cpu", "model": "x86_64-linux", "precision": "f32", "kernels": "x86-64-v3", "numbers": 1},
}
REST = {
    "index": 1,
    "seed": 7,
    "pass": "first",
    "step": 3,
    "n_history": 0,
    "position": 5,
    "cached": None,
    "belongs_to": BELONGS_TO,
}


def number(i):
    return ((i * 2654435761) % 2**32 / 2**31 - 1) / 4


def floats(shape, first=0):
    n = 1
    for side in shape:
        n *= side
    return ("F32", shape, struct.pack(f"<{n}f", *(number(first + i) for i in range(n))))


def words(n=WORDS):
    return ("U32", [n], struct.pack(f"<{n}I", *((i * 2654435761) % 2**32 for i in range(n))))


def body(tensors, rest=REST, text=None):
    """The safetensors file behind the head."""
    header, data = {"__metadata__": {} if rest is None else {"state": text or json.dumps(rest)}}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    return raw(header, data)


def raw(header, data=b""):
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def sealed(inner, magic=b"atlstate", version=1, digest=None):
    return magic + struct.pack("<I", version) + (digest or hashlib.sha256(inner).digest()) + inner


def state(n_history=0, shape=(1, 4, 2, 2), claimed=None, **rest):
    tensors = {"generator": words(), "latents": floats(list(shape))}
    tensors |= {f"history.{i}": floats(list(shape), 100 * i) for i in range(n_history)}
    return sealed(body(tensors, {**REST, "n_history": n_history if claimed is None else claimed, **rest}))


def inputs():
    usual = {"generator": words(), "latents": floats([1, 4, 2, 2])}
    yield "first", state()
    yield "second_pass", state(**{"pass": "second", "step": 0})
    yield "history", state(n_history=5)
    yield "half_pair", state(cached=struct.unpack("<Q", struct.pack("<d", 0.5))[0])
    yield "half_pair_nan", state(cached=0x7FF8_0000_0000_0000)
    yield "numbers_largest", state(index=2**32 - 1, seed=2**64 - 1, step=2**32 - 1)
    yield "words_exhausted", state(position=WORDS)
    yield "gpu", state(belongs_to={**BELONGS_TO, "device": {**BELONGS_TO["device"], "kind": "cuda", "model": "a GPU"}})
    yield "latents_nan", sealed(body({**usual, "latents": ("F32", [1, 1, 1, 2], b"\xff" * 8)}))
    yield "latents_of_nothing", sealed(body({**usual, "latents": ("F32", [1, 0, 2, 2], b"")}))

    yield "empty", b""
    yield "a_word", b"atlstate"
    yield "head_alone", sealed(b"")
    yield "other_word", sealed(body(usual), magic=b"atlstatf")
    yield "version_0", sealed(body(usual), version=0)
    yield "version_largest", sealed(body(usual), version=2**32 - 1)
    yield "cut_off", state()[:-1]
    yield "longer", state() + b"\0"
    yield "length_largest", sealed(struct.pack("<Q", 2**64 - 1) + b"{}")
    yield "no_tensors", sealed(raw({}))
    yield "no_description", sealed(body(usual, None))
    yield "description_of_words", sealed(body(usual, text="a state"))
    yield "description_deep", sealed(body(usual, text="[" * 10_000))
    yield "key_more", state(colour="red")
    yield "key_less", sealed(body(usual, {key: value for key, value in REST.items() if key != "step"}))
    yield "index_negative", state(index=-1)
    yield "seed_too_large", state(seed=2**64)
    yield "other_pass", state(**{"pass": "third"})
    yield "words_too_few", sealed(body({**usual, "generator": words(WORDS - 1)}))
    yield "words_of_floats", sealed(body({**usual, "generator": floats([WORDS])}))
    yield "position_too_large", state(position=WORDS + 1)
    yield "latents_half", sealed(body({**usual, "latents": ("F16", [1, 4, 2, 2], b"\0" * 32)}))
    yield "latents_flat", sealed(body({**usual, "latents": floats([16])}))
    yield "latents_overflow", sealed(raw({"generator": {"dtype": "U32", "shape": [0], "data_offsets": [0, 0]},
                                          "latents": {"dtype": "F32", "shape": [2**32, 2**32, 2**32, 2**32], "data_offsets": [0, 0]}}))
    yield "latents_absent", sealed(body({"generator": words(), "more": floats([1, 4, 2, 2])}))
    yield "history_more", state(n_history=1, claimed=2)
    yield "history_largest", state(claimed=2**64 - 1)
    yield "history_17", state(n_history=17)
    yield "history_other_shape", sealed(body({**usual, "history.0": floats([1, 4, 4, 1])}, {**REST, "n_history": 1}))
    yield "tensor_more", sealed(body({**usual, "more": floats([1])}))


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, data in inputs():
        (CORPUS / name).write_bytes(data)


main()
