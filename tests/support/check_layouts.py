#!/usr/bin/env python3
"""Checkpoints as they are published: `cull inspect` opens files that have the tensors of layouts/, by name, type and
shape, counts what transformers counts, and leaves out just what is marked with "-".

    check_layouts.py CULL FOLDER [NAME…]

The files are in two shards with an index, and as long as the real ones, but sparse: nothing is written into them. Exits 77
where the file system has no such files.
"""
import itertools
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

BYTES = {"BF16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1}
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
SKIPPED = 77


def numbers(word):
    """ "1,4-6" → 1, 4, 5, 6; words as they are."""
    for part in word.split(","):
        ends = part.split("-")
        if all(e.isdigit() for e in ends):
            yield from map(str, range(int(ends[0]), int(ends[-1]) + 1))
        else:
            yield part


def names(pattern):
    parts = re.split(r"\{(.*?)\}", pattern)
    return map("".join, itertools.product(*([p] if i % 2 == 0 else list(numbers(p)) for i, p in enumerate(parts))))


def read(path):
    """Tensors, name → (type, shape); how many are left out; the counts that the first line says."""
    with open(path) as f:
        first, *lines = f.read().splitlines()
    tensors, left = {}, 0
    for line in lines:
        pattern, kind, *shape = line.removeprefix("- ").split()
        new = {name: (kind, list(map(int, shape))) for name in names(pattern)}
        assert not tensors.keys() & new.keys(), line
        tensors.update(new)
        left += len(new) if line.startswith("- ") else 0
    return tensors, left, {what: int(n) for n, what in re.findall(r"(\d+) (tensors|numbers)", first)}


def product(shape):
    n = 1
    for extent in shape:
        n *= extent
    return n


def write_shard(path, tensors):
    header, end = {}, 0
    for name, (kind, shape) in tensors.items():
        begin, end = end, end + BYTES[kind] * product(shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + end)


def write(folder, tensors):
    shards = [f"model-0000{i}-of-000002.safetensors" for i in (1, 2)]  # digits as DeepSeek has them
    items = list(tensors.items())
    halves = [dict(items[::2]), dict(items[1::2])]
    for shard, half in zip(shards, halves):
        write_shard(os.path.join(folder, shard), half)
    index = {"metadata": {"total_size": sum(BYTES[k] * product(s) for k, s in tensors.values()), "total_parameters": 1},
             "weight_map": {name: shard for shard, half in zip(shards, halves) for name in half}}
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump(index, f)


def check(cull, folder, name, total):
    """What is wrong, or None."""
    tensors, left, said = read(os.path.join(folder, "layouts", name + ".txt"))
    if said["tensors"] != len(tensors) or said.get("numbers", 0) not in (0, sum(product(s) for _, s in tensors.values())):
        return f"{len(tensors)} tensors are listed, not {said}"
    with open(os.path.join(folder, name + ".json")) as f:
        config = json.load(f)
    if any(kind == "F8_E4M3" for kind, _ in tensors.values()):
        config.setdefault("quantization_config", FP8)
    with tempfile.TemporaryDirectory() as work:
        with open(os.path.join(work, "config.json"), "w") as f:
            json.dump(config, f)
        try:
            write(work, tensors)
        except OSError as why:
            print(f"skipped: {why}", file=sys.stderr)
            sys.exit(SKIPPED)
        done = subprocess.run([cull, "inspect", work], capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip()
    counted = re.search(r"^parameters .*?\((\d+)", done.stdout, re.M)
    skipped = sum(map(int, re.findall(r"(\d+) tensors are left out", done.stdout)))
    if int(counted[1]) != total or skipped != left or "has no meaning" in done.stdout:
        return f"{counted[1]} parameters and {skipped} tensors left out, not {total} and {left}:\n{done.stdout}"
    return None


def main():
    cull, folder, *wanted = sys.argv[1:]
    wrong = count = 0
    with open(os.path.join(folder, "counts.txt")) as f:
        totals = {line.split()[0]: int(line.split()[1]) for line in f if not line.startswith("#")}
    for file in sorted(os.listdir(os.path.join(folder, "layouts"))):
        name = file.removesuffix(".txt")
        if wanted and name not in wanted:
            continue
        why = check(cull, folder, name, totals[name])
        if why:
            print(f"{name}: {why}", flush=True)
        wrong += why is not None
        count += 1
    print(f"{wrong} of {count} differ")
    return wrong > 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
