#!/usr/bin/env python3
"""k by sensitivity by `cull run`, beside transformers in float64: the overlap with the dense model when one layer's k falls,
the counts that follow from it (all of them tried), what then runs for a token.

    check_sensitivity.py CULL MODELS METHODS

Exits 77 where numpy, h5py, safetensors, torch or transformers is missing.
"""
import glob
import itertools
import json
import os
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call, text

EXPERIMENT = """
models:      {{ m: {{ hf: {{ path: {model} }} }} }}
methods:     {{ fewer: {{ strategy: fixed-k }}, rule: {{ strategy: {{ top-p: {{ p: 0.9 }} }} }} }}
sparsities:  [ {budgets} ]
allocations: [ layer, global,
               {{ search: {{ by: sensitivity, population: 5, on: {{ divergence: {{ files: on.jsonl, documents: ids }} }} }} }} ]
seeds:       [ 1, 2 ]
metrics:     [ {{ perplexity: {{ files: held.jsonl, documents: ids }} }} ]
"""
ROWS, LENGTH = 12, 64


class Reference:
    """A model whose routers may pick fewer experts, in float64."""

    def __init__(self, path, rows):
        self.net = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64, experts_implementation="eager").eval()
        self.routers = [m for m in self.net.modules() if hasattr(m, "top_k") and hasattr(m, "weight")]
        self.rows, self.dense = torch.tensor(rows), None
        self.K = self.routers[0].top_k
        self.dense = self.probabilities([self.K] * len(self.routers))

    def probabilities(self, ks):
        for router, k in zip(self.routers, ks):
            router.top_k = k
        with torch.no_grad():
            return self.net(self.rows).logits[:, :-1].softmax(-1)

    def overlap(self, fewer):
        return torch.minimum(self.dense, self.probabilities([self.K - n for n in fewer])).sum(-1).mean().item()


def best_of(fitness, most, total):
    """By trying all: of the counts with this sum those whose losses have the least sum, the first of equals from the lower
    layers. fitness: {counts of a single cut: overlap}."""
    L = len(most)
    single = lambda l, n: tuple(n if i == l else 0 for i in range(L))
    none = fitness[(0,) * L]
    loss = lambda c: sum(none - fitness[single(l, n)] for l, n in enumerate(c) if n)
    fit = [c for c in itertools.product(*(range(m + 1) for m in most)) if sum(c) == total]
    return min(fit, key=lambda c: (loss(c), [-n for n in c])), loss


def check_search(trial, model, reference, budget):
    with h5py.File(trial) as f:
        gone, fitness = f["search/gone"][()].astype(int), f["search/fitness"][()]
        active, requested = float(f["cut"].attrs["achieved_active"]), float(f.attrs["sparsity"])
        removed, all_active = float(f["cut"].attrs["achieved_expert"]), float(f["model"].attrs["params_active"])
    with open(os.path.join(model, "config.json")) as f:
        config = json.load(f)
    L, K, one = len(reference.routers), reference.K, 3 * config["hidden_size"] * config["intermediate_size"]
    total = int(np.ceil((1 - budget) * all_active / one - 1e-9))
    most = [min(K - 1, total)] * L
    assert len(gone) == sum(most) + 2 or (len(gone) == sum(most) + 1 and total <= max(most)), gone
    worst = max(abs(x - reference.overlap(c)) for c, x in zip(gone, fitness))
    assert worst <= 1e-5, worst
    by_counts = {tuple(c): x for c, x in zip(gone.tolist(), fitness)}
    want, loss = best_of(by_counts, most, total)
    found = tuple(gone[-1]) if gone[-1].sum() == total else next(c for c in by_counts if sum(c) == total)
    assert abs(loss(found) - loss(want)) <= 1e-12, (found, want)
    assert abs(active - total * one / all_active) <= 1e-9 and active >= 1 - budget - 1e-12, (active, budget)
    assert removed == 0 and abs(requested - (1 - budget) * all_active / (L * K * one)) <= 1e-9, (removed, requested)
    print(f"  active {budget}: {total} fewer, {[int(n) for n in found]}; overlaps off by {worst:.1e} at most, "
          f"{by_counts[found]:.4f}; {100 * active:.2f} % do not run", flush=True)
    return by_counts[found]


def check_model(cull, models, methods, name, budgets):
    model = os.path.abspath(os.path.join(models, name))
    with safe_open(f"{methods}/{name}/calibration.safetensors", "np") as f:
        ids, held = f.get_tensor("ids").astype(int), f.get_tensor("heldout_ids").astype(int)
    rows = ids[::len(ids) // ROWS][:ROWS, :LENGTH]
    reference = Reference(model, rows)
    print(f"{name}: K {reference.K} in {len(reference.routers)} layers", flush=True)
    with tempfile.TemporaryDirectory() as work:
        for file, some in (("on", rows), ("held", held[::20, :LENGTH])):
            with open(f"{work}/{file}.jsonl", "w") as f:
                f.writelines(json.dumps(row.tolist()) + "\n" for row in some)
        with open(f"{work}/e.yaml", "w") as f:
            f.write(EXPERIMENT.format(model=model, budgets=", ".join(f"{{ active: {b} }}" for b in budgets)))
        call(cull, "run", f"{work}/e.yaml", "-o", f"{work}/out", "--quiet")
        trials = glob.glob(f"{work}/out/trials/*.h5")
        # dense, the rule, and of fewer experts per budget an equal share and a search: seeds, and layer or global, are alike
        assert len(trials) == 2 + 2 * len(budgets), trials
        searched = [t for t in trials if "-search" in os.path.basename(t)]
        assert len(searched) == len(budgets), searched
        for budget in budgets:
            sparsity = {}
            for t in trials:
                with h5py.File(t) as f:
                    sparsity[t] = float(f.attrs["sparsity"]) if text(f.attrs["method"]) == "fewer" else np.nan
            shares = sorted({s for s in sparsity.values() if not np.isnan(s)}, reverse=True)
            trial, = [t for t in searched if sparsity[t] == shares[sorted(budgets).index(budget)]]
            check_search(trial, model, reference, budget)


if __name__ == "__main__":
    check_model(*sys.argv[1:4], "tinyworld-olmoe", [0.9, 0.8])
    check_model(*sys.argv[1:4], "tinyworld-mixtral", [0.85])
