"""Held-out losses of merges, router rules and dropped layers, from plain torch/numpy/scipy code beside make_methods.py,
whose files it reads (statistics, scores, rows).

    make_more.py MODEL_DIR METHODS_DIR        METHODS_DIR/<model>/more.safetensors

Every tensor NAME.nll is [9,20] f64: summed cross-entropy (nats) of the 255 targets of every held-out row, per domain.

  merge-WHAT-PERCENT-SCOPE   PERCENT of the experts merged away, the same of every layer or over all layers.
      m-smoe     the least used (n_e / sum n_e, ties lower layer and index first, one per layer stays) join the most
                 similar that stays (msmoe_similarity, ties first); weights are the means weighted by n_e, a group
                 without tokens takes the plain mean; the router keeps all rows, slots share the merged expert
      m-smoe-aligned   each member's neurons first permuted by scipy's linear_sum_assignment to maximise the inner products
                 of gate rows, up rows and down columns with the group's most used expert's
      m-smoe-plain     plain means
      hc-smoe    scipy's average linkage on hcsmoe_distance, the lowest merges by (height, layer, order); weighted means
  fixed-k-1                  one expert per token
  skip, skip-half            a pick whose gate is below beta (half of beta) times the first one's is dropped, the rest
                             renormalised where the model does; beta: the layer's median of g2/g1 over the calibration rows
  layer-drop-PERCENT         the MoE sub-layers with the highest moe_cos_sum return 0
  block-drop-PERCENT         the layers with the highest cos_sum[l, l+1] are passed over
"""
import pathlib, sys
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy.cluster.hierarchy import linkage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import squareform
import golden_model as gm


class Net(gm.Net):
    """with a skip ratio per layer, and layers without MoE sub-layer or passed over"""
    beta, no_moe, no_block = None, (), ()

    def moe(self, L, x, tap=None):
        i = next(k for k, q in enumerate(self.layers) if q is L)
        if i in self.no_moe: return torch.zeros_like(x)
        z = x @ L.router.T; g, idx = torch.softmax(z, -1).topk(self.k, -1)
        if self.beta is not None: g = g * (g >= self.beta[i] * g[:, :1])
        if self.renorm: g = g / g.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for e in range(len(L.router)):
            t, s = torch.where(idx == e)
            if len(t): out.index_add_(0, t, g[t, s, None] * gm.expert(x[t], L.w1[e], L.w2[e], L.w3[e])[1])
        if tap is not None: tap.update(x=x, z=z, g=g, idx=idx, out=out)
        return out

    def clone(self, **change):
        n = Net.__new__(Net); n.__dict__ = {**super().clone().__dict__, **change}
        n.layers = [q for i, q in enumerate(n.layers) if i not in n.no_block]; n.no_block = ()
        return n


def dominants(count, similarity, by_layer, n):
    L, E = len(count), len(count[0]); keep = [set(range(E)) for _ in range(L)]; left, total = [n] * L, n
    for _, l, e in sorted((count[l][e] / count[l].sum(), l, e) for l in range(L) for e in range(E)):
        if len(keep[l]) == 1 or (left[l] if by_layer else total) == 0: continue
        keep[l].remove(e); left[l] -= 1; total -= 1
    keep = [sorted(k) for k in keep]
    return [[e if e in keep[l] else keep[l][int(np.argmax(similarity[l][e, keep[l]]))] for e in range(E)] for l in range(L)]

def hierarchy(distance, by_layer, n):
    L, E = len(distance), len(distance[0]); label, merges = [list(range(E)) for _ in range(L)], []
    for l in range(L):
        members = {i: [i] for i in range(E)}
        for k, (a, b, h, _) in enumerate(linkage(squareform(distance[l], checks=False), "average")):
            members[E + k] = sorted(members[int(a)] + members[int(b)]); merges.append((h, l, k, members[E + k]))
    left, total = [n] * L, n
    for _, l, _, m in sorted(merges, key=lambda t: t[:3]):
        if (left[l] if by_layer else total) == 0: continue
        left[l] -= 1; total -= 1
        for e in m: label[l][e] = m[0]
    return label

def merge(net, label, count, weighted=True, align=False):
    out = net.clone()
    for l, L in enumerate(net.layers):
        W = [getattr(L, w).double().clone() for w in ("w1", "w2", "w3")]; base = [w.clone() for w in W]
        for c in set(label[l]):
            m = [e for e, x in enumerate(label[l]) if x == c]
            if len(m) == 1: continue
            u = count[l][m] if weighted and count[l][m].sum() > 0 else np.ones(len(m))
            top = m[int(np.argmax(count[l][m]))]; mean = [0, 0, 0]
            for e, a in zip(m, u):
                w1, w2, w3 = (w[e] for w in base)
                if align and e != top:
                    r1, r2, r3 = (w[top] for w in base)
                    p = torch.tensor(linear_sum_assignment((r1 @ w1.T + r3 @ w3.T + r2.T @ w2).numpy(), maximize=True)[1])
                    w1, w2, w3 = w1[p], w2[:, p], w3[p]
                mean = [x + a * w for x, w in zip(mean, (w1, w2, w3))]
            for e in m:
                for w, x in zip(W, mean): w[e] = x / u.sum()
        for w, x in zip(("w1", "w2", "w3"), W): setattr(out.layers[l], w, x.float())
    return out


def main(model, methods):
    name = pathlib.Path(model).name; d = pathlib.Path(methods) / name
    read = lambda f: safe_open(d / f"{f}.safetensors", "np")
    st, sc, cal = read("stats"), read("scores"), read("calibration")
    held, ids = (torch.tensor(cal.get_tensor(n)).long() for n in ("heldout_ids", "ids"))
    net = Net(model); L, E = len(net.layers), len(net.layers[0].router)
    layers = lambda f, n: [f.get_tensor(f"layer.{l}.{n}").astype(float) for l in range(L)]
    count, similarity, distance = layers(st, "n"), layers(sc, "msmoe_similarity"), layers(sc, "hcsmoe_distance")
    out = {}
    def run(n, variant): out[f"{n}.nll"] = variant.nll(held).view(9, 20); print(name, n, float((out[f"{n}.nll"].sum() / (180 * 255)).exp()), flush=True)

    for percent in (25, 50):
        for scope in ("layer", "global"):
            by = scope == "layer"; k = E * (1 if by else L) * percent // 100; end = f"{percent}-{scope}"
            group = dominants(count, similarity, by, k)
            run(f"merge-m-smoe-{end}", merge(net, group, count)); run(f"merge-m-smoe-plain-{end}", merge(net, group, count, weighted=False))
            run(f"merge-m-smoe-aligned-{end}", merge(net, group, count, align=True))
            run(f"merge-hc-smoe-{end}", merge(net, hierarchy(distance, by, k), count))
    run("fixed-k-1", net.clone(k=1))
    beta = [float(np.median((t.g[:, 1] / t.g[:, 0]).double())) for t in net.capture(ids)]
    run("skip", net.clone(beta=beta)); run("skip-half", net.clone(beta=[b / 2 for b in beta]))
    moe = np.array([m[0] for m in layers(st, "moe_cos_sum")]); block = np.diag(st.get_tensor("model.cos_sum"), 1)
    for percent in (25, 50):
        n = L * percent // 100; first = lambda x: tuple(np.argsort(-x, kind="stable")[:n].tolist())
        run(f"layer-drop-{percent}", net.clone(no_moe=first(moe))); run(f"block-drop-{percent}", net.clone(no_block=first(block)))
    save_file(out, d / "more.safetensors")

if __name__ == "__main__": main(*sys.argv[1:3])
