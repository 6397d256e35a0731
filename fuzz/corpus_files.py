"""What every maker of a corpus is written with: files of tensors, honest or not."""

import json
import struct
from pathlib import Path

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
