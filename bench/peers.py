"""The peers' side of bench/run: a server that reads one JSON request a line and answers with one line.

Run by bench/run in an environment with torch, transformers and tokenizers. A model is loaded at its first use and
kept until another one is asked for, so that the two sides can take turns without loading anything twice. Times are
seconds of the clock, without loading.
"""
import gc
import json
import sys
import time

import torch

held = {"name": None, "model": None}


def model_of(path, experts):
    from transformers import AutoModelForCausalLM

    name = (path, experts)
    if held["name"] != name:
        held.update(name=None, model=None)
        gc.collect()
        how = {"experts_implementation": experts} if experts else {}
        held["model"] = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, **how).eval()
        held["name"] = name
    return held["model"]


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def forward(path, sequences, length, experts=None):
    """The layers' forward, without the head, in float32."""
    m = model_of(path, experts)
    torch.manual_seed(1)
    ids = torch.randint(0, m.config.vocab_size, (sequences, length))
    return timed(lambda: m.model(ids))[0]


def generation(path, prompts, length, new):
    m = model_of(path, None)
    torch.manual_seed(1)
    ids = torch.randint(0, m.config.vocab_size, (prompts, length))
    how = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "pad_token_id": 0}
    return timed(lambda: m.generate(ids, attention_mask=torch.ones_like(ids), **how))[0]


def attention(sequences, length, heads, kv_heads, width):
    torch.manual_seed(1)
    q = torch.rand(sequences, heads, length, width) * 2 - 1
    k, v = (torch.rand(sequences, kv_heads, length, width) * 2 - 1 for _ in range(2))
    sdpa = torch.nn.functional.scaled_dot_product_attention
    return timed(lambda: sdpa(q, k, v, is_causal=True, enable_gqa=heads != kv_heads))[0]


def wanda_matrix(w, squares, sparsity):
    """The authors' metric and their cut of every row (locuslab/wanda, prune_wanda)."""
    metric = w.abs() * squares.sqrt().reshape(1, -1)
    index = torch.sort(metric, dim=-1, stable=True)[1][:, : int(w.shape[1] * sparsity)]
    w.scatter_(1, index, 0)


def sparsegpt_matrix(w, h, sparsity, block=128, damp=0.01):
    """The authors' fasterprune, unstructured (IST-DASLab/sparsegpt)."""
    dead = torch.diag(h) == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    diag = torch.arange(h.shape[0])
    h[diag, diag] += damp * torch.mean(torch.diag(h))
    h = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    for first in range(0, w.shape[1], block):
        last = min(first + block, w.shape[1])
        w1, h1 = w[:, first:last].clone(), h[first:last, first:last]
        q1, err = torch.zeros_like(w1), torch.zeros_like(w1)
        score = w1**2 / torch.diag(h1).reshape(1, -1) ** 2
        mask = score <= torch.sort(score.flatten())[0][int(score.numel() * sparsity)]
        for i in range(last - first):
            q = w1[:, i].clone()
            q[mask[:, i]] = 0
            q1[:, i] = q
            e = (w1[:, i] - q) / h1[i, i]
            w1[:, i:] -= e.unsqueeze(1).matmul(h1[i, i:].unsqueeze(0))
            err[:, i] = e
        w[:, first:last] = q1
        w[:, last:] -= err.matmul(h[first:last, last:])


def prune(method, experts, width, inner, rows, sparsity):
    """Every expert's three matrices, from inputs that are there; sums over the inputs are counted."""
    torch.manual_seed(1)
    matrices = [(torch.randn(r, c), torch.randn(rows, c)) for _ in range(experts)
                for r, c in ((inner, width), (inner, width), (width, inner))]

    def run():
        for w, x in matrices:
            if method == "wanda":
                wanda_matrix(w, (x * x).sum(0), sparsity)
            else:
                sparsegpt_matrix(w, x.t() @ x, sparsity)

    return timed(run)[0]


def tokenize(path, text, size):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path + "/tokenizer.json")
    text = open(text, encoding="utf-8").read()
    text = (text * (size // len(text) + 1))[:size]
    start = time.process_time()  # as bench/tokenizer counts
    tokenizer.encode(text, add_special_tokens=False)
    return size / 1e6 / (time.process_time() - start)


def phases(path):
    """Seconds of each phase of a trial."""
    import h5py

    with h5py.File(path) as f:
        return dict(zip((p.decode() if isinstance(p, bytes) else p for p in f["timing/phase"]),
                        map(float, f["timing/wall_s"])))


def versions():
    import transformers

    return f"torch {torch.__version__}, transformers {transformers.__version__}"


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.set_grad_enabled(False)
    calls = {f.__name__: f for f in (forward, generation, attention, prune, tokenize, phases, versions)}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"value": calls[request["call"]](**request["with"])}
        except Exception as error:  # the table says it, and goes on
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
