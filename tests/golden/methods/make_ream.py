"""Golden values for REAM, in float64 from plain numpy and scipy; the decoder is make_channels.py's.

    make_ream.py MODEL_DIR METHODS_DIR        METHODS_DIR/<model>/ream.safetensors

p: softmax over all E; y_e: an expert's output; all of calibration's rows, and of "sampled" tokens those of 32 rows evenly spread.
Of layer l of the dense model:

  prob_norm       (E)     sum over routed tokens of p |p y|
  dense_gated     (E, D)  mean over sampled tokens of p y
  distance        (E, E)  1 - (s_out + s_gate) / 2: s_out = (cos + 1) / 2 of the means of p y, s_gate = 1 - d / max d with d the
                          distance of two columns of logits (all tokens), each of norm 1
  distance_tokens (E, E)  the same with s_out the mean over sampled tokens of (cos + 1) / 2

Variants: NAME-PERCENT.nll is [9, 20], the summed cross-entropy of every held-out row; NAME-PERCENT.head (L, E) u8: the expert that an
expert is merged into. P % of each layer's experts give up: the least salient (ties: the lower index). By falling saliency each other
takes its nearest until its group has C members. Neurons are aligned by scipy's linear_sum_assignment on the sum of two distances:
activations on the sampled tokens, of norm 1; U S^2 of the 64 leading components (both experts' rows [w1 | w3 | w2^T] of norm 1,
centred), of norm 1. Means are weighted by saliency, zeros being the smallest positive one, at most 0.5.

  ream        C = 16, saliency sum g |y| / n, router rows deleted; each layer on what the merged ones before it let through
  ream-four   C = 4, the same;  ream-kept  C = 4, router rows kept: the members' slots are served by the merged expert
  ream-plain  no limit (each joins its nearest), saliency sum p |p y| / n, distance_tokens, no alignment, dense statistics, deleted

ream-four-50.merged (3, F, D): w1, w3 and w2^T of the last layer's most salient centroid.
"""
import pathlib, sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from make_channels import Model, T, rms, silu, softmax

SAMPLED = 32


def unit(x):
    n = np.linalg.norm(x, axis=-1, keepdims=True); return np.divide(x, n, out=np.zeros_like(x), where=n > 0)


class Cut(Model):
    """A layer's cut: dict(drop=[experts], serve=(E) whose slot is served by whom, w1, w2, w3)"""
    def moe(self, L, x, cut, see):
        if cut: L = {**L, **{k: cut[k] for k in ("w1", "w2", "w3")}}
        z = x @ L["router"].T; p = softmax(z)
        if cut: z = z.copy(); z[:, cut["drop"]] = -np.inf
        q = softmax(z); index = np.argsort(-q, 1, kind="stable")[:, :self.K]; g = np.take_along_axis(q, index, 1)
        if self.renorm: g = g / g.sum(1, keepdims=True)
        if see: see(x, z, p, index, g)
        if cut: index = cut["serve"][index]
        out = np.zeros_like(x)
        for e in range(self.E):
            t, s = np.nonzero(index == e)
            if len(t): np.add.at(out, t, g[t, s][:, None] * ((silu(x[t] @ L["w1"][e].T) * (x[t] @ L["w3"][e].T)) @ L["w2"][e].T))
        return out


class Seen:
    """What calibration sees of a layer, rows a few sequences at a time"""
    def __init__(self, m, l, sampled):
        self.m, self.L, self.sampled, self.at, E = m, m.layer[l], sampled, 0, m.E
        self.n, self.reap, self.ream = np.zeros(E), np.zeros(E), np.zeros(E)
        self.z, self.u, self.gated, self.cos, self.tokens = [], [[] for _ in range(E)], np.zeros((E, m.D)), np.zeros((E, E)), 0

    def __call__(self, x, z, p, index, g):
        m, L = self.m, self.L; self.z.append(z)
        rows = np.arange(self.at, self.at + len(x) // T); self.at += len(rows)
        chosen = np.repeat(np.isin(rows, self.sampled), T); Y = np.zeros((m.E, chosen.sum(), m.D))
        for e in range(m.E):
            u = silu(x @ L["w1"][e].T) * (x @ L["w3"][e].T); y = u @ L["w2"][e].T; norm = np.linalg.norm(y, axis=1)
            t, s = np.nonzero(index == e); self.n[e] += len(t)
            self.reap[e] += (g[t, s] * norm[t]).sum(); self.ream[e] += (p[t, e] ** 2 * norm[t]).sum()
            self.u[e].append(u[chosen].astype(np.float32)); self.gated[e] += (p[chosen, e, None] * y[chosen]).sum(0); Y[e] = y[chosen]
        Y = unit(Y); self.cos += np.einsum("etd,ftd->ef", Y, Y, optimize=True); self.tokens += chosen.sum()

    def distance(self, tokens=False):
        s_out = ((self.cos / self.tokens if tokens else (lambda u: u @ u.T)(unit(self.gated))) + 1) / 2
        z = unit(np.concatenate(self.z).T); d = cdist(z, z); d = 1 - (s_out + 1 - d / d.max()) / 2; np.fill_diagonal(d, 0)
        return d

    def saliency(self, which):
        s = getattr(self, which) / np.maximum(self.n, 1)
        if (s > 0).any(): s[s == 0] = min(0.5, s[s > 0].min())
        return s


def groups(saliency, d, go, capacity):
    E = len(saliency); order = np.argsort(saliency, kind="stable"); head = np.arange(E); head[order[:go]] = -1
    if capacity == 0:
        stay = np.sort(order[go:])
        for e in order[:go]: head[e] = stay[np.argmin(d[e][stay])]
    for c in order[:go - 1 if go else None:-1] if capacity else []:
        near = [e for e in np.argsort(d[c], kind="stable") if head[e] == -1][:capacity - 1]; head[near] = c
    assert (head >= 0).all()
    return head


def match(L, u, c, e):
    """perm: neuron perm[i] of e plays the part of neuron i of c"""
    a, b = (unit(u[k].astype(np.float64).T) for k in (c, e)); F = len(a)
    x = unit(np.concatenate([np.concatenate([L["w1"][k], L["w3"][k], L["w2"][k].T], 1) for k in (c, e)])); x = x - x.mean(0)
    U, S, _ = np.linalg.svd(x, full_matrices=False); P = unit(U[:, :64] * S[:64] ** 2)
    return linear_sum_assignment(cdist(a, b) + cdist(P[:F], P[F:]))[1]


def merge(L, head, saliency, u):
    out = {k: L[k].copy() for k in ("w1", "w2", "w3")}
    for c in np.unique(head):
        members = np.nonzero(head == c)[0]; w = saliency[members] / saliency[members].sum()
        if len(members) < 2: continue
        for k in out: out[k][c] = 0
        for e, share in zip(members, w):
            perm = match(L, u, c, e) if u is not None and e != c else np.arange(L["w1"].shape[1])
            for k in out: out[k][c] += share * (L[k][e][:, perm] if k == "w2" else L[k][e][perm])
    return {k: v.astype(np.float32).astype(np.float64) for k, v in out.items()}


def main(model, methods):
    m = Cut(model); name = pathlib.Path(model).name; d = pathlib.Path(methods) / name
    cal = safe_open(d / "calibration.safetensors", "np"); ids, held = cal.get_tensor("ids").astype(int), cal.get_tensor("heldout_ids").astype(int)
    held = held.reshape(-1, T); E, n_layers, out = m.E, len(m.layer), {}
    sampled = [j * len(ids) // SAMPLED for j in range(SAMPLED)]

    def walk(decide, propagate):
        h = m.embed[ids]; cuts = []
        for l in range(n_layers):
            seen = Seen(m, l, sampled); dense = np.concatenate([m.step(l, h[i:i + 8], None, seen) for i in range(0, len(h), 8)])
            cuts.append(decide(l, seen))
            h = dense if not propagate else np.concatenate([m.step(l, h[i:i + 8], cuts[l]) for i in range(0, len(h), 8)])
        return cuts

    def gather(l, seen):
        out.update({f"layer.{l}.prob_norm": seen.ream, f"layer.{l}.dense_gated": seen.gated / seen.tokens, f"layer.{l}.n": seen.n,
                    f"layer.{l}.distance": seen.distance(), f"layer.{l}.distance_tokens": seen.distance(True)})
    walk(gather, False)

    def run(label, percent, capacity, kept=False, saliency="reap", tokens=False, align=True, propagate=True):
        heads = []
        def decide(l, seen):
            s = seen.saliency(saliency); head = groups(s, seen.distance(tokens), percent * E // 100, capacity); heads.append(head)
            u = [np.concatenate(q) for q in seen.u] if align else None; gone = [] if kept else np.nonzero(head != np.arange(E))[0]
            cut = dict(drop=gone, serve=head, **merge(m.layer[l], head, s, u))
            if f"{label}-{percent}" == "ream-four-50":
                c = np.argmax(s); out["ream-four-50.merged"] = np.stack([cut["w1"][c], cut["w3"][c], cut["w2"][c].T]).astype(np.float32)
            return cut
        cuts = walk(decide, propagate); label = f"{label}-{percent}"; out[label + ".head"] = np.stack(heads).astype(np.uint8)
        out[label + ".nll"] = np.concatenate([m.nll(held[i:i + 10], cuts) for i in range(0, len(held), 10)]).reshape(9, 20)
        print(name, label, np.exp(out[label + ".nll"].sum() / (180 * 255)), flush=True)

    run("ream-four", 25, 4)
    run("ream", 50, 16); run("ream-four", 50, 4); run("ream-kept", 50, 4, kept=True)
    run("ream-plain", 50, 0, saliency="ream", tokens=True, align=False, propagate=False)
    save_file({k: np.ascontiguousarray(v) for k, v in out.items()}, d / "ream.safetensors")


if __name__ == "__main__": main(*sys.argv[1:3])
