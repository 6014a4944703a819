"""How far precisions move what models compute: logits, choices of experts, and of the next token.

    python bench/precision.py CULL MODEL...

Traces random token ids through each model in f32, bf16 and bf16x2, and prints a Markdown table of the differences
from f32. Needs numpy and h5py.
"""
import pathlib, subprocess, sys, tempfile

import h5py, numpy as np

cull, models = sys.argv[1], sys.argv[2:]


def trace(folder, model, ids, precision):
    out = folder / f"{precision}.h5"
    subprocess.run([cull, "trace", model, "--ids", ids, "-o", out, "--precision", precision, "--quiet"], check=True)
    with h5py.File(out) as f:
        logits = f["logits"][...].reshape(-1, f["logits"].shape[-1])
        index = f["router/index"][...]
        chosen = [np.sort(layer.reshape(-1, layer.shape[-1]), -1) for layer in index]
    return logits, chosen


def log_probability(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


print("| model | precision | logits, relative | KL to f32, mean | same next token | same experts |")
print("|---|---|---|---|---|---|")
for model in models:
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rng = np.random.default_rng(1)
        ids = folder / "ids.jsonl"
        ids.write_text("".join(f"{rng.integers(3, 60, 128).tolist()}\n" for _ in range(4)))
        base, experts = trace(folder, model, ids, "f32")
        for precision in "bf16", "bf16x2":
            z, e = trace(folder, model, ids, precision)
            p, q = log_probability(base.astype(float)), log_probability(z.astype(float))
            same = np.mean([np.mean((a == b).all(-1)) for a, b in zip(experts, e)])
            print(f"| {pathlib.Path(model).name} | {precision} | {np.linalg.norm(z - base) / np.linalg.norm(base):.1e} "
                  f"| {np.mean((np.exp(p) * (p - q)).sum(-1)):.1e} | {np.mean(z.argmax(-1) == base.argmax(-1)):.2%} "
                  f"| {same:.2%} |")
