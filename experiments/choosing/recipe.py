#!/usr/bin/env python3
"""Chooses a method of ours, and each rival's best form, on the texts of choose.yaml and counts.yaml; then says what the
held-out texts make of it.

    recipe.py choose RESULTS…          recipe.json to stdout
    recipe.py verdict recipe.json RESULTS

Ours is one method and one allocation for all: least mean, over models and sparsities, of the loss of log perplexity
against the dense model. A rival (its methods' names begin with its own) has its best method and allocation for each
model and sparsity by itself, so that it is never held to a form that suits another. The verdict pairs them window by
window (Student's t on nats per token), with Holm over models, sparsities and rivals.
"""
import glob
import json
import sys

import h5py
import numpy as np
from scipy.stats import t as student

RIVALS = ("stun", "mone")


def read(folders):
    """{(model, method, allocation, sparsity): nats per token of each window}; the dense model's method is dense."""
    out = {}
    for trial in sorted(g for folder in folders for g in glob.glob(f"{folder}/trials/*.h5")):
        with h5py.File(trial) as f:
            text = lambda key: f.attrs[key].decode() if isinstance(f.attrs[key], bytes) else str(f.attrs[key])
            sparsity = float(f.attrs["sparsity"])
            windows = [f["eval"][task] for task in sorted(f["eval"])]
            nats = np.concatenate([w["nll"][()] / w["tokens"][()] for w in windows])
            key = text("model"), text("method"), text("allocation"), None if np.isnan(sparsity) else round(sparsity, 6)
            assert key not in out or np.array_equal(out[key], nats), f"{trial}: {key} is there already"
            out[key] = nats
    return out


def losses(nats):
    """{(method, allocation): {(model, sparsity): mean loss in nats per token}}"""
    out = {}
    for (model, method, allocation, sparsity), values in nats.items():
        if sparsity is not None:
            dense = next(v for k, v in nats.items() if k[0] == model and k[1] == "dense")
            out.setdefault((method, allocation), {})[model, sparsity] = float(np.mean(values) - np.mean(dense))
    return out


def is_of(method, rival):
    return method == rival or method.startswith(rival + "-")


def choose(folders):
    found = losses(read(folders))
    cells = sorted({cell for loss in found.values() for cell in loss})
    ours = {form: np.mean([loss[c] for c in cells]) for form, loss in found.items()
            if len(loss) == len(cells) and not any(is_of(form[0], r) for r in RIVALS)}
    order = sorted(ours, key=ours.get)
    for form in order:
        print(f"{form[0]:24} {form[1]:18} {ours[form]:.4f}  " +
              " ".join(f"{found[form][c]:.4f}" for c in cells), file=sys.stderr)
    recipe = {"ours": order[0], "rivals": {}}
    for rival in RIVALS:
        forms = [form for form in found if is_of(form[0], rival)]
        recipe["rivals"][rival] = {f"{c[0]} {c[1]}": min((f for f in forms if c in found[f]), key=lambda f: found[f][c])
                                   for c in cells}
        for c in cells:
            best = recipe["rivals"][rival][f"{c[0]} {c[1]}"]
            print(f"{rival} {c[0]} {c[1]}: {best[0]} {best[1]} {found[best][c]:.4f}", file=sys.stderr)
    json.dump(recipe, sys.stdout, indent=1)
    print()


def holm(p):
    order, out, most = np.argsort(p), np.zeros(len(p)), 0.0
    for rank, i in enumerate(order):
        most = max(most, min(1.0, (len(p) - rank) * p[i]))
        out[i] = most
    return out


def verdict(path, folder):
    with open(path) as f:
        recipe = json.load(f)
    nats, rows = read([folder]), []
    for rival, forms in recipe["rivals"].items():
        for cell, form in forms.items():
            model, sparsity = cell.split()
            at = lambda f: next(v for k, v in nats.items() if (k[0], k[3]) == (model, float(sparsity)) and k[1] == f[0] and
                                k[2] == f[1])
            ours, theirs = at(recipe["ours"]), at(form)
            less = ours - theirs
            error = less.std(ddof=1) / np.sqrt(less.size)
            half = student.ppf(0.975, less.size - 1) * error
            p = 2 * student.sf(abs(less.mean()) / error, less.size - 1)
            rows.append((model, sparsity, rival, form, ours.mean(), theirs.mean(), less.mean(), half, p))
    adjusted = holm([row[-1] for row in rows])
    wins = 0
    for (model, sparsity, rival, form, ours, theirs, less, half, p), q in sorted(zip(rows, adjusted)):
        wins += less < 0 and q <= 0.05
        print(f"{model:8} {100 * float(sparsity):3.0f} %  ours {np.exp(ours):.3f}  {rival} {np.exp(theirs):.3f} "
              f"({form[0]}, {form[1]})  {less:+.4f} ± {half:.4f} nats  Holm p {q:.2g}")
    print(f"ours is better in {wins} of {len(rows)} comparisons")


if __name__ == "__main__":
    if len(sys.argv) >= 3 and sys.argv[1] == "choose":
        choose(sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "verdict":
        verdict(*sys.argv[2:])
    else:
        sys.exit(__doc__)
