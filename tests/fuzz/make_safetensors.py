#!/usr/bin/env python3
"""Makes the corpus of safetensors files: good ones, and bad ones by what is wrong with them.

    python3 tests/fuzz/make_safetensors.py tests/fuzz/corpus/safetensors

The reference implementation (pip install safetensors) must agree about each file, but for those in
STRICTER, which the format forbids or Cull cannot represent, and the reference accepts.
"""
import json, os, struct, sys

import safetensors

STRICTER = {"duplicate-name", "leading-blank", "nine-dimensions", "duplicate-key-of-tensor",
            "duplicate-metadata", "entry-a-list"}


def file(header, data=b"", length=None):
    if not isinstance(header, bytes):
        header = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def t(dtype, shape, begin, end, **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


F8 = bytes(8)
DTYPES = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
          "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
          "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64}


def every_dtype():
    header, at = {}, 0
    for name, bits in DTYPES.items():
        header["x." + name] = t(name, [2, 4], at, at + bits)
        at += bits
    return file(header, bytes(range(256)) * (at // 256) + bytes(range(at % 256)))


GOOD = {
    "no-tensors": file({}),
    "only-metadata": file({"__metadata__": {"format": "pt", "note": "é"}}),
    "null-metadata": file({"__metadata__": None, "a": t("F32", [2], 0, 8)}, F8),
    "one": file({"a": t("F32", [2], 0, 8)}, F8),
    "every-dtype": every_dtype(),
    "unsorted": file({"b": t("F32", [1], 4, 8), "a": t("F32", [1], 0, 4), "c": t("I8", [0], 4, 4)}, F8),
    "rank-0": file({"a": t("F64", [], 0, 8)}, F8),
    "zero-size": file({"a": t("F64", [0, 7], 0, 0), "b": t("F64", [1], 0, 8), "c": t("U8", [0], 8, 8)}, F8),
    "extra-field": file({"a": t("F32", [2], 0, 8, origin="somewhere", nested={"deep": [1, 2]})}, F8),
    "padded": file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}      ', F8),
    "unaligned": file({"a": t("U8", [1], 0, 1), "b": t("F32", [1], 1, 5)}, bytes(5)),
    "four-bits": file({"a": t("F4", [3, 2], 0, 3)}, bytes(3)),
    "odd-names": file({"": t("U8", [1], 0, 1), "a.\u00e9\"\\/b": t("U8", [1], 1, 2)}, bytes(2)),
    "eight-dimensions": file({"a": t("U8", [1] * 7 + [3], 0, 3)}, bytes(3)),
}

BAD = {
    "empty": b"",
    "seven-bytes": bytes(7),
    "no-header": struct.pack("<Q", 0),
    "header-cut-short": file({"a": t("F32", [2], 0, 8)}, F8)[:20],
    "data-cut-short": file({"a": t("F32", [2], 0, 8)}, F8)[:-1],
    "trailing-bytes": file({"a": t("F32", [2], 0, 8)}, F8 + b"x"),
    "trailing-without-tensors": file({}, b"x"),
    "lying-length": file({"a": t("F32", [2], 0, 8)}, F8, length=2**63),
    "longest-length": file({"a": t("F32", [2], 0, 8)}, F8, length=2**64 - 1),
    "length-over-limit": file({"a": t("F32", [2], 0, 8)}, F8, length=100_000_001),
    "length-one-more": file({"a": t("F32", [2], 0, 8)}, b"", length=52),
    "not-json": file(b"{]", F8),
    "not-utf-8": file(b'{"\xff":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', F8),
    "not-an-object": file(b"[]", b""),
    "a-number": file(b"7", b""),
    "trailing-garbage": file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}x', F8),
    "leading-blank": file(b' {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', F8),
    "deep-lists": file(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "deep-objects": file(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "duplicate-name": file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
                           b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', F8),
    "duplicate-key-of-tensor": file(b'{"a":{"dtype":"F32","x":1,"x":2,"shape":[2],"data_offsets":[0,8]}}', F8),
    "duplicate-metadata": file(b'{"__metadata__":{"k":"1","k":"2"},'
                               b'"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', F8),
    "nine-dimensions": file({"a": t("U8", [1] * 9, 0, 1)}, bytes(1)),
    "unknown-dtype": file({"a": t("F7", [2], 0, 8)}, F8),
    "lower-case-dtype": file({"a": t("f32", [2], 0, 8)}, F8),
    "dtype-a-number": file({"a": t(32, [2], 0, 8)}, F8),
    "no-dtype": file({"a": {"shape": [2], "data_offsets": [0, 8]}}, F8),
    "no-shape": file({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, F8),
    "no-offsets": file({"a": {"dtype": "F32", "shape": [2]}}, F8),
    "entry-a-list": file({"a": ["F32", [2], [0, 8]]}, F8),
    "entry-null": file({"a": None}, b""),
    "one-offset": file({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8]}}, F8),
    "three-offsets": file({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}}, F8),
    "offsets-reversed": file({"a": t("F32", [2], 8, 0)}, F8),
    "offsets-negative": file({"a": t("F32", [2], -8, 0)}, F8),
    "offsets-beyond": file({"a": t("F32", [4], 0, 16)}, F8),
    "offsets-huge": file({"a": t("F32", [2], 2**63 - 9, 2**63 - 1)}, F8),
    "offsets-real": file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0.0,8.0]}}', F8),
    "offsets-text": file({"a": t("F32", [2], "0", "8")}, F8),
    "offsets-over-64-bits": file({"a": t("F32", [2], 0, 2**65)}, F8),
    "shape-negative": file({"a": t("F32", [-2], 0, 8)}, F8),
    "shape-real": file({"a": t("F32", [2.0], 0, 8)}, F8),
    "shape-a-number": file({"a": t("F32", 2, 0, 8)}, F8),
    "shape-true": file({"a": t("F32", [True, 2], 0, 8)}, F8),
    "shape-too-small": file({"a": t("F32", [1], 0, 8)}, F8),
    "shape-too-large": file({"a": t("F32", [3], 0, 8)}, F8),
    "shape-overflow": file({"a": t("F32", [2**62, 8], 0, 8)}, F8),
    "shape-overflow-to-8": file({"a": t("F32", [2**61 + 1, 2], 0, 8)}, F8),
    "shape-overflow-before-zero": file({"a": t("F32", [2**62, 8, 0], 0, 0)}, b""),
    "bits-no-whole-byte": file({"a": t("F4", [3], 0, 2)}, bytes(2)),
    "six-bits-no-whole-byte": file({"a": t("F6_E2M3", [3], 0, 3)}, bytes(3)),
    "hole": file({"a": t("F32", [1], 0, 4), "b": t("F32", [1], 8, 12)}, bytes(12)),
    "hole-in-front": file({"a": t("F32", [1], 4, 8)}, F8),
    "overlap": file({"a": t("F32", [2], 0, 8), "b": t("F32", [2], 4, 12)}, bytes(12)),
    "alias": file({"a": t("F32", [2], 0, 8), "b": t("F32", [2], 0, 8)}, F8),
    "empty-tensor-inside": file({"a": t("F32", [2], 0, 8), "b": t("F32", [0], 4, 4)}, F8),
    "metadata-a-list": file({"__metadata__": ["x"], "a": t("F32", [2], 0, 8)}, F8),
    "metadata-number": file({"__metadata__": {"n": 1}, "a": t("F32", [2], 0, 8)}, F8),
    "metadata-nested": file({"__metadata__": {"n": {"m": "x"}}, "a": t("F32", [2], 0, 8)}, F8),
}


def reference_accepts(data):
    try:
        safetensors.deserialize(data)
        return True
    except Exception:
        return False


def main(folder):
    for kind, files in ("good", GOOD), ("bad", BAD):
        os.makedirs(os.path.join(folder, kind), exist_ok=True)
        for name, data in files.items():
            expected = kind == "good" or name in STRICTER
            if reference_accepts(data) != expected:
                sys.exit(f"{kind}/{name}: the reference disagrees")
            with open(os.path.join(folder, kind, name + ".safetensors"), "wb") as out:
                out.write(data)


main(sys.argv[1])
