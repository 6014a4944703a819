#!/usr/bin/env python3
"""Rules at run time, divergence, mixes of calibration data, budgets and hand-outs of `cull run` and `cull export`, beside numpy
in float64 (methods/make_ream.py's decoder) on rows that no golden file has.

    rules    top-p and k by layer: losses of every row, and what runs for a token, counted on the calibration rows
    overlap  divergence of models without some experts: KL, likeliest tokens, overlap (EvoESAP)
    mix      rows of a mix are what the record says, near to the shares, drawn by the seed, and what statistics are of
    bytes    an export is within a budget of bytes, and with an expert, or a channel, more would not be
    search   counts add up, leave a token its experts, are scored once, and greedy ends where no neighbour is better
    lists    rankings and masks for other programs say what the scores and the cut say

    check_rules.py CULL MODELS METHODS [PART…]

Exits 77 where numpy, scipy, h5py, safetensors or ml_dtypes is missing.
"""
import collections
import glob
import json
import os
import sys
import tempfile

try:
    import h5py
    import ml_dtypes
    import numpy as np
    import scipy
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call, text, told

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "methods"))
import make_channels
import make_ream
from make_channels import rms, silu, softmax

LENGTH, ROWS = 83, 6
make_channels.T = make_ream.T = LENGTH
TOLERANCE = 1e-5


class Model(make_channels.Model):
    """gone: (L, E) experts that are not there; p, k: (L) the rest of a rule. taken: experts that served each token, by layer."""

    def __init__(self, path):
        super().__init__(path)
        self.L = len(self.layer)
        self.gone, self.p, self.k = np.zeros((self.L, self.E), bool), [np.inf] * self.L, [self.K] * self.L

    def at(self, length):
        """For rows of this length."""
        angle = np.outer(np.arange(length), np.arctan2(self.sin[1], self.cos[1]))
        self.cos, self.sin = np.cos(angle), np.sin(angle)
        make_channels.T = length

    def moe(self, L, x, cut, see):
        l = next(i for i, layer in enumerate(self.layer) if layer is L)
        z = x @ L["router"].T
        z[:, self.gone[l]] = -np.inf
        q = softmax(z)
        index = np.argsort(-q, 1, kind="stable")[:, :self.k[l]]
        g = np.take_along_axis(q, index, 1)
        g = g * (np.cumsum(g, 1) - g < self.p[l])  # the one that reaches p is the last
        self.taken[l].append(index[g > 0])
        if self.renorm:
            g = g / g.sum(1, keepdims=True)
        out = np.zeros_like(x)
        for e in range(self.E):
            t, s = np.nonzero((index == e) & (g > 0))
            u = silu(x[t] @ L["w1"][e].T) * (x[t] @ L["w3"][e].T)
            np.add.at(out, t, g[t, s][:, None] * (u @ L["w2"][e].T))
        return out

    def logs(self, ids):
        """Log-probabilities (rows, LENGTH - 1, V) of what follows."""
        self.taken = [[] for _ in self.layer]
        h = self.embed[ids]
        for l in range(self.L):
            h = self.step(l, h)
        z = rms(h, self.norm, self.eps)[:, :-1] @ self.head.T
        z -= z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))

    def losses(self, ids):
        return -np.take_along_axis(self.logs(ids), ids[:, 1:, None], 2)[..., 0].sum(1)


class Run:
    """trial[method]: files, by sparsity."""

    def __init__(self, cull, work, experiment, **files):
        for name, rows in files.items():
            with open(f"{work}/{name}.jsonl", "w") as f:
                f.writelines(json.dumps(row) + "\n" for row in rows)
        with open(f"{work}/e.yaml", "w") as f:
            f.write(experiment)
        self.folder = f"{work}/out"
        call(cull, "run", f"{work}/e.yaml", "-o", self.folder, "--quiet")
        self.trial = collections.defaultdict(dict)
        for path in glob.glob(f"{self.folder}/trials/*.h5"):
            with h5py.File(path) as f:
                self.trial[text(f.attrs["method"])][round(float(f.attrs["sparsity"]), 4), f.attrs.get("seed", 0)] = path

    def one(self, method):
        path, = self.trial[method].values()
        return path


def losses_of(trial):
    with h5py.File(trial) as f:
        return np.concatenate([f[f"eval/{task}/nll"][()] for task in f["eval"] if "nll" in f[f"eval/{task}"]])


def values_of(trial):
    """Of a trial's only task."""
    with h5py.File(trial) as f:
        return dict(zip(f["metrics/metric"].asstr()[()], f["metrics/value"][()]))


def rows_of(methods, name, first=0):
    with safe_open(f"{methods}/{name}/calibration.safetensors", "np") as f:
        ids = f.get_tensor("ids").astype(int)
    step = len(ids) // ROWS
    return ids[first:first + step * ROWS:step, :LENGTH]


# ---- rules ----


RULES = """
models:    {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate: {{ ids: {{ files: seen.jsonl }} }}
methods:   {{ {methods} }}
metrics:   [ {{ perplexity: {{ files: asked.jsonl, documents: ids }} }} ]
"""


def check_rules(cull, model, methods, name, work):
    m, seen, asked = Model(model), rows_of(methods, name), rows_of(methods, name, 3)
    by_layer = [m.K, 1, max(1, m.K - 1), m.K][:m.L]
    rules = {f"p{int(100 * p)}": (f"{{ strategy: {{ top-p: {{ p: {p} }} }} }}", [p] * m.L, [m.K] * m.L)
             for p in (0.05, 0.31, 0.6, 0.97, 1)}
    rules["layers"] = f"{{ strategy: {{ fixed-k: {{ k: {by_layer} }} }} }}", [np.inf] * m.L, by_layer
    run = Run(cull, work, RULES.format(model=model, methods=", ".join(f"{k}: {v[0]}" for k, v in rules.items())),
              seen=seen.tolist(), asked=asked.tolist())
    expert, wrong = 3 * m.D * m.layer[0]["w1"].shape[1], 0
    for rule, (_, m.p, m.k) in rules.items():
        want = m.losses(asked)
        off = np.abs(losses_of(run.one(rule)) / want - 1).max()
        m.losses(seen)
        served = [sum(map(len, taken)) / seen.size for taken in m.taken]
        with h5py.File(run.one(rule)) as f:
            active, all_of_it = float(f["cut"].attrs["achieved_active"]), float(f["model"].attrs["params_active"])
        idle = (m.L * m.K - sum(served)) * expert / all_of_it
        wrong += told(f"{name} {rule}", off <= TOLERANCE and abs(active - idle) <= TOLERANCE,
                      f"losses {off:.1e}, {np.mean(served):.3f} experts for a token, idle {100 * active:.3f} %")
    return wrong


# ---- divergence ----


OVERLAP = """
models:     {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:  {{ ids: {{ files: seen.jsonl }} }}
methods:    {{ count: {{ criterion: frequency, strategy: lowest }}, random: {{ criterion: random, strategy: lowest }} }}
sparsities: [ 0.37, 0.7 ]
allocations: [ global ]
metrics:    [ {{ divergence: {{ files: asked.jsonl, documents: ids }} }} ]
"""


def divergence(dense, cut):
    p, q = np.exp(dense), np.exp(cut)
    return {"kl": (p * (dense - cut)).sum(-1).mean(), "overlap": np.minimum(p, q).sum(-1).mean(),
            "top1_agreement": (dense.argmax(-1) == cut.argmax(-1)).mean()}


def check_overlap(cull, model, methods, name, work):
    m, seen, asked = Model(model), rows_of(methods, name), rows_of(methods, name, 3)
    dense, wrong = m.logs(asked), 0
    run = Run(cull, work, OVERLAP.format(model=model), seen=seen.tolist(), asked=asked.tolist())
    for method in ("count", "random"):
        for (sparsity, _), trial in sorted(run.trial[method].items()):
            with h5py.File(trial) as f:
                m.gone = f["experts/kept"][()][:, :m.E] == 0
            want, found = divergence(dense, m.logs(asked)), values_of(trial)
            off = {k: abs(found[k] - want[k]) / max(abs(want[k]), 1e-30) for k in want}
            wrong += told(f"{name} {method} {sparsity}", max(off.values()) <= 1e-4 and off["overlap"] <= TOLERANCE,
                          ", ".join(f"{k} {want[k]:.5f} off by {off[k]:.1e}" for k in want))
    return wrong


# ---- mixes ----


MIX = """
models:      {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:
  mix:
    - {{ ids: {{ files: long.jsonl, pad: 1 }}, share: 0.31 }}
    - {{ ids: {{ files: short.jsonl }}, share: 0.24 }}
    - {{ ids: {{ files: odd.jsonl }}, share: 0.45 }}
  tokens: {tokens}
methods:     {{ count: {{ criterion: frequency, strategy: lowest }} }}
sparsities:  [ 0.25 ]
seeds:       [ 1, 2, 3 ]
metrics:     [ {{ perplexity: {{ files: asked.jsonl, documents: ids }} }} ]
"""
SHARES = {"long": 0.31, "short": 0.24, "odd": 0.45}


def counts_of(m, rows):
    """(L, E), rows of any length."""
    out = np.zeros((m.L, m.E))
    for length in sorted({len(row) for row in rows}):
        m.at(length)
        m.losses(np.array([row for row in rows if len(row) == length]))
        for l, taken in enumerate(m.taken):
            out[l] += np.bincount(np.concatenate(taken), minlength=m.E)
    m.at(LENGTH)
    return out


def check_mix(cull, model, methods, name, work):
    m, ids, tokens, wrong = Model(model), rows_of(methods, name), 701, 0
    parts = {"long": [row[:n].tolist() for n in (61, 83) for row in ids], "short": [row[i:i + 7].tolist() for row in ids
             for i in range(1, 70, 7)], "odd": [row[40 - n // 2:40 + n // 2].tolist() for row in ids for n in (18, 34, 50)]}
    # filled up with a padding id at either end, or with a mask that says what is padding
    padded = [[1] * 3 + row + [1] * 9 for row in parts["long"]]
    masked = [{"ids": row + [5, 5], "attention_mask": [1] * len(row) + [0, 0]} for row in parts["odd"]]
    run = Run(cull, work, MIX.format(model=model, tokens=tokens), long=padded, short=parts["short"], odd=masked,
              asked=ids[:1].tolist())
    drawn = {}
    for (_, seed), trial in sorted(run.trial["count"].items()):
        with h5py.File(trial) as f:
            record = f["calibration"]
            picks = [(text(a).removesuffix(".jsonl"), int(b)) for a, b in zip(record["source"][()], record["ordinal"][()])]
            lengths, score = record["length"][()].tolist(), f["experts/score"][0]
        rows = [parts[a][b] for a, b in picks]
        good = len(set(picks)) == len(picks) and lengths == [len(row) for row in rows]
        got = {a: sum(len(parts[b][i]) for b, i in picks if a == b) for a in SHARES}
        for part, share in SHARES.items():
            last = [len(parts[a][i]) for a, i in picks if a == part]
            want = share * tokens
            # no row more or less is nearer
            good = good and abs(got[part] - want) <= min(max(map(len, parts[part])) / 2, *(abs(got[part] - n - want) for n in last))
        apart = np.abs(score - counts_of(m, rows)).max()
        drawn[seed] = picks
        wrong += told(f"{name} seed {seed}", good and apart <= 1, f"tokens {got}, counts off by {apart:.0f}")
    return wrong + told(f"{name} seeds", len(drawn) == 3 and len({tuple(v) for v in drawn.values()}) == 3, "differ")


# ---- budgets of bytes ----


BYTES = """
models:      {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:   {{ ids: {{ files: seen.jsonl }} }}
methods:
  drop:      {{ criterion: frequency, strategy: lowest }}
  narrow:    {{ criterion: {{ wanda: {{ by: channel }} }}, strategy: {{ channels: {{ widths: equal }} }} }}
  fours:     {{ criterion: aimer, strategy: lowest }}
  thin:      [ {{ criterion: frequency, strategy: lowest }}, {{ criterion: wanda, strategy: {{ unstructured: {{ experts: 0.3 }} }} }} ]
  thinner:   [ {{ criterion: {{ wanda: {{ by: channel }} }}, strategy: {{ channels: {{ widths: equal }} }} }},
               {{ criterion: magnitude, strategy: {{ unstructured: {{ experts: 0.45 }} }} }} ]
sparsities:  [ {{ bytes: {some} }}, {{ bytes: {few} }} ]
metrics:     [ {{ perplexity: {{ files: seen.jsonl, documents: ids }} }} ]
"""


def bytes_of(folder):
    total = 0
    for path in glob.glob(f"{folder}/*.safetensors"):
        with open(path, "rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        total += sum(t["data_offsets"][1] - t["data_offsets"][0] for n, t in header.items() if n != "__metadata__")
    return total


def check_bytes(cull, model, methods, name, work):
    m, all_of_it, wrong = Model(model), bytes_of(model), 0
    F = m.layer[0]["w1"].shape[1]
    some, few = int(0.83 * all_of_it) + 77, int(0.59 * all_of_it) - 1
    run = Run(cull, work, BYTES.format(model=model, some=some, few=few), seen=rows_of(methods, name).tolist())
    for method in ("drop", "narrow", "fours", "thin", "thinner"):
        unit = 2 * m.L * (m.E * 3 * m.D if method in ("narrow", "thinner") else 3 * m.D * F + m.D)
        assert len(run.trial[method]) == 2
        for (sparsity, _), trial in sorted(run.trial[method].items()):
            out = f"{work}/{method}-{sparsity}"
            call(cull, "export", trial, "-o", out, "--quiet")
            with h5py.File(trial) as f:
                achieved = f["cut"].attrs["achieved_expert"]
            budget, size = some if sparsity == min(run.trial[method])[0] else few, bytes_of(out)
            good = budget - unit < size <= budget and sparsity - 0.02 < achieved <= sparsity + 5e-5
            wrong += told(f"{name} {method} {sparsity}", good, f"{size} of {budget} bytes, {achieved:.4f} gone")
    return wrong


# ---- searches ----


SEARCH = """
models:      {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:   {{ ids: {{ files: seen.jsonl }} }}
methods:     {{ aimed: {{ criterion: frequency, strategy: lowest }} }}
sparsities:  [ {sparsity} ]
allocations:
  - search: {{ name: evolution, by: evolution, population: 11, generations: 3, survivors: 2, moves: 2, experts: 3, on: {on} }}
  - search: {{ name: greedy, by: greedy, population: 12, generations: 40, on: {on} }}
metrics:     [ {{ perplexity: {{ files: asked.jsonl, documents: ids }} }} ]
"""


def neighbours(counts, most):
    """One expert carried from one layer to another."""
    for a in range(len(counts)):
        for b in range(len(counts)):
            if a != b and counts[a] > 0 and counts[b] < most:
                yield tuple(c - (i == a) + (i == b) for i, c in enumerate(counts))


def check_search(cull, model, methods, name, work):
    m, sparsity, wrong = Model(model), 0.4, 0
    seen, on, asked = (rows_of(methods, name, first) for first in (0, 3, 5))
    words = "{ divergence: { files: on.jsonl, documents: ids } }"
    run = Run(cull, work, SEARCH.format(model=model, sparsity=sparsity, on=words), seen=seen.tolist(), on=on.tolist(),
              asked=asked.tolist())
    dense, counts = m.logs(on), counts_of(m, seen.tolist())
    order = np.argsort(counts, axis=1, kind="stable")
    for trial in glob.glob(f"{run.folder}/trials/*search*.h5"):
        with h5py.File(trial) as f:
            gone, fitness = f["search/gone"][()].astype(int), f["search/fitness"][()]
            kept, generation = f["experts/kept"][()][:, :m.E], f["search/generation"][()]
        taken = [tuple(c) for c in gone]
        best = taken[int(np.argmax(fitness))]
        good = (gone.sum(1) == int(sparsity * m.L * m.E)).all() and gone.max() <= m.E - m.K and gone.min() >= 0
        good = good and len(set(taken)) == len(taken) and tuple((kept == 0).sum(1)) == best
        off = 0.0
        for i in {0, 1, len(taken) // 2, len(taken) - 1, int(np.argmax(fitness))}:
            m.gone = np.array([np.isin(np.arange(m.E), order[l, :n]) for l, n in enumerate(taken[i])])
            off = max(off, abs(divergence(dense, m.logs(on))["overlap"] - fitness[i]))
        m.gone[:] = False
        by = "greedy" if "greedy" in os.path.basename(trial) else "evolution"
        if by == "greedy" and generation.max() < 39:
            good = good and all(n in taken for n in neighbours(best, m.E - m.K))
        wrong += told(f"{name} {by}", good and off <= TOLERANCE,
                      f"{len(taken)} candidates, {generation.max() + 1} generations, fitness off by {off:.1e}, best {best}")
    return wrong


# ---- for other programs ----


LISTS = """
models:      {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:   {{ ids: {{ files: seen.jsonl }} }}
methods:     {{ count: {{ criterion: frequency, strategy: lowest }}, aimed: {{ criterion: aimer, strategy: lowest }} }}
sparsities:  [ 0.37 ]
allocations: [ global ]
metrics:     [ {{ perplexity: {{ files: seen.jsonl, documents: ids }} }} ]
"""


def check_lists(cull, model, methods, name, work):
    wrong = 0
    run = Run(cull, work, LISTS.format(model=model), seen=rows_of(methods, name).tolist())
    with open(os.path.join(model, "config.json")) as f:
        kind = json.load(f)["model_type"]
    for method in ("count", "aimed"):
        trial = run.one(method)
        call(cull, "export", trial, "--layout", "ranking", "-o", f"{work}/ranking-{method}", "--quiet")
        call(cull, "export", trial, "--layout", "mask", "-o", f"{work}/mask-{method}", "--quiet")
        with h5py.File(trial) as f:
            score, kept, layer = f["experts/score"][0], f["experts/kept"][()], f["experts/layer"][()].tolist()
        with open(f"{work}/ranking-{method}") as f:
            ranking = [json.loads(line) for line in f]
        with open(f"{work}/mask-{method}") as f:
            mask = json.load(f)
        good = [r["layer"] for r in ranking] == layer == [r["layer"] for r in mask["layers"]]
        for r, s in zip(ranking, score):
            # the lower index of equals goes first, so that it stands behind
            good = good and r["experts"] == np.argsort(s, kind="stable")[::-1].tolist() and r["scores"] == s[r["experts"]].tolist()
        good = good and mask["version"] == 1 and mask["model"]["type"] == kind
        good = good and all(r["masked"] == np.nonzero(k == 0)[0].tolist() and r["experts"] == len(k)
                            for r, k in zip(mask["layers"], kept))
        wrong += told(f"{name} {method}", good, f"{len(ranking)} layers, {int((kept == 0).sum())} masked")
    return wrong


PARTS = {"rules": check_rules, "overlap": check_overlap, "mix": check_mix, "bytes": check_bytes, "search": check_search,
         "lists": check_lists}


def main():
    cull, models, methods, *parts = sys.argv[1:]
    wrong = 0
    for part in parts or PARTS:
        for name in ("tinyworld-mixtral", "tinyworld-olmoe"):
            with tempfile.TemporaryDirectory() as work:
                print(part, flush=True)
                wrong += PARTS[part](cull, os.path.abspath(os.path.join(models, name)), methods, name, work)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
