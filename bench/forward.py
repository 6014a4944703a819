"""Cull's float32 forward against transformers', on a checkpoint with OLMoE's layer shapes and random weights.

    python bench/forward.py PROGRAM [--layers 2] [--sequences 8] [--length 512] [--threads 2] [--runs 3]
                            [--variants 20] [--keep FOLDER]

PROGRAM is the built bench/forward. The checkpoint is made in FOLDER (default: a temporary one). The two take turns,
so that whatever else the machine does meets both. Prints the median time of each, their ratio with its spread, peak
memory, and what VARIANTS random half cuts cost against as many runs of their own, in time and in weight bytes.
"""
import argparse, json, pathlib, statistics, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("program")
for name, default in (("layers", 2), ("sequences", 8), ("length", 512), ("threads", 2), ("runs", 3), ("variants", 20)):
    ap.add_argument("--" + name, type=int, default=default)
ap.add_argument("--keep")
a = ap.parse_args()

import torch
from transformers import AutoModelForCausalLM, OlmoeConfig

torch.set_num_threads(a.threads)
torch.set_grad_enabled(False)
hold = None if a.keep else tempfile.TemporaryDirectory()
folder = pathlib.Path(a.keep or hold.name)


def make():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    config = OlmoeConfig(vocab_size=50304, hidden_size=2048, intermediate_size=1024, num_hidden_layers=a.layers,
                         num_attention_heads=16, num_key_value_heads=16, num_experts=64, num_experts_per_tok=8,
                         max_position_embeddings=4096)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)


def cull(sequences, length, variants, runs=1):
    out = subprocess.run([a.program, folder, str(sequences), str(length), str(variants), str(a.threads), str(runs)],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def spread(x):
    return f"{statistics.median(x):.2f} ({min(x):.2f}–{max(x):.2f})"


if not (folder / "model.safetensors").exists():
    make()
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
ids = torch.randint(0, 50304, (a.sequences, a.length))
model.model(ids[:1, :64])
theirs, ours, peak = [], [], 0
for _ in range(a.runs):
    t = time.perf_counter()
    model.model(ids)
    theirs.append(time.perf_counter() - t)
    r = cull(a.sequences, a.length, 1)
    ours.append(r["seconds"][0])
    peak = max(peak, r["peak_mib"])
del model

ratio = [y / x for x, y in zip(ours, theirs)]
layer = sum(p.stat().st_size for p in folder.glob("*.safetensors")) - 2 * 2 * 50304 * 2048
print(f"{a.sequences} × {a.length} tokens, {a.layers} layers of OLMoE's shape, {a.threads} threads, {a.runs} runs in turn")
print(f"transformers f32   {spread(theirs)} s   (model loaded beforehand)")
print(f"cull f32           {spread(ours)} s   (weights read as stored), peak {peak} MiB; one layer is {layer / a.layers / 2**20:.0f} MiB")
print(f"speed-up           {spread(ratio)}")

one, all_ = [], []
for _ in range(a.runs):
    one.append(cull(1, 512, 1))
    all_.append(cull(1, 512, a.variants))
time_ratio = [y["seconds"][0] / (a.variants * x["seconds"][0]) for x, y in zip(one, all_)]
bytes_ratio = all_[0]["weight_bytes"] / one[0]["weight_bytes"]
print(f"{a.variants} variants, 512 tokens: {spread(time_ratio)} of {a.variants} runs' time, {bytes_ratio:.3f} of one run's weight bytes")
