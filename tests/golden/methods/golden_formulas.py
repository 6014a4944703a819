"""Criteria, subsets, STUN's first stage and weight masks as formulas over tensors, for make_methods.py."""
import itertools, math
from types import SimpleNamespace as NS
import torch
from golden_model import INF, expert, f64, route

# ------------------------------------------------------------------------------------------------- criteria
def router_distance(W):
    W = W.to(f64); return (W[:, None] - W[None]).pow(2).sum(-1).sqrt()

def criteria(net, st, T, mu=1.0):
    out = {}
    for l, L in enumerate(net.layers):
        q = lambda n: st[f"layer.{l}.{n}"].to(f64); n = q("n"); n1 = n.clamp_min(1); A = q("coact"); a = A / A.mean()
        D = router_distance(L.router); fro = L.router.to(f64).norm(); G = q("logit_gram"); dg = G.diag().sqrt(); S = q("sigmoid_gram"); ds = S.diag().sqrt()
        Y = q("dense_mean_y")
        r = dict(frequency=n, gate_sum=q("sum_g"), mean_gate=q("sum_g") / n1, mean_p=q("sum_p") / T, ean=q("sum_norm"), ean_mean=q("sum_norm") / n1, ean_sq_mean=q("sum_norm2") / n1,
                 reap=q("sum_g_norm") / n1, gate_norm_sum=q("sum_g_norm"), mone_variance=q("phi_var"), mone_freq_code=q("sum_g") / T, mone_freq_paper=q("sum_g") / n1,
                 mone_fused=q("phi_var") * q("sum_g") / T, mone_fused_paper=q("phi_var") * q("sum_g") / n1, easyep=q("easyep"), max_signed=q("max_signed"), ean_ca=q("mean_y").norm(dim=1),
                 stun_a_norm=D / fro, stun_a_raw=D, stun_b_norm=-a, stun_b_raw=-A, stun_c_norm=D / fro - mu * a, stun_c_raw=D - mu * a,
                 msmoe_similarity=(G / dg[:, None] / dg[None] + 1) / 2, msmoe_similarity_sigmoid=(S / ds[:, None] / ds[None] + 1) / 2,
                 hcsmoe_distance=(Y[:, None] - Y[None]).pow(2).sum(-1).sqrt())
        out.update({f"layer.{l}.{k}": v for k, v in r.items()})
    return out

def keep_top(score, r):
    """The r highest scores; ties drop the lower index first.  Sorted ids."""
    order = sorted(range(len(score)), key=lambda e: (float(score[e]), e))
    return sorted(order[len(score) - r:])


# --------------------------------------------------------------------------------------- subsets (NAEE rule)
class Subsets:
    """Layer-wise output error of keeping a subset, for rows of 256 tokens, from dense inputs, all in float64."""
    def __init__(self, net, L, x, after, width=256):
        self.inv = 1 / after.to(f64).pow(2).sum(1)                      # 1 / squared norm of the layer's output residual
        self.k, self.renorm, self.x, self.width = net.k, net.renorm, x.to(f64), width
        self.L = NS(router=L.router.to(f64), w1=L.w1.to(f64), w2=L.w2.to(f64), w3=L.w3.to(f64)); self.E = len(L.router)
        self.z = self.x @ self.L.router.T
        Y = torch.stack([expert(self.x, self.L.w1[e], self.L.w2[e], self.L.w3[e])[1] for e in range(self.E)], 1)   # [T,E,d]
        self.gram = Y @ Y.transpose(1, 2); self.base = self.coef(range(self.E))
        self.target = (self.base[:, :, None] * Y).sum(1); self.memo = {}

    def coef(self, keep):
        m = torch.ones(self.E, dtype=torch.bool); m[list(keep)] = False
        g, i = route(self.z.masked_fill(m, -INF), self.k, self.renorm)
        return torch.zeros_like(self.z).scatter_(1, i, g)

    def token_errors(self, keep):
        dl = self.coef(keep) - self.base
        dl[dl.abs() < 1e-12] = 0                                        # an unchanged selection is exactly free
        return (torch.bmm(self.gram, dl[:, :, None])[..., 0] * dl).sum(1)

    def loss(self, keep):
        """(sum of squared error, sum over rows of the row's unsquared Frobenius norm, squared error over squared residual norm)"""
        t = self.token_errors(keep).clamp_min(0); r = t.view(-1, self.width).sum(1)
        return r.sum().item(), r.sqrt().sum().item(), (t * self.inv).sum().item()

    def direct(self, keep):
        """The same by really slicing the layer and running it."""
        K = list(keep); z = self.x @ self.L.router[K].T; g, idx = route(z, self.k, self.renorm); out = torch.zeros_like(self.x)
        for j, e in enumerate(K):
            t, s = torch.where(idx == j); out.index_add_(0, t, g[t, s, None] * expert(self.x[t], self.L.w1[e], self.L.w2[e], self.L.w3[e])[1])
        t = (out - self.target).pow(2).sum(1); r = t.view(-1, self.width).sum(1)
        return r.sum().item(), r.sqrt().sum().item(), (t * self.inv).sum().item()

    def enumerate(self, r):
        return torch.tensor([self.loss(K) for K in itertools.combinations(range(self.E), r)], dtype=f64)

    def greedy(self, stop):
        """Remove, one at a time, the expert whose removal gives the smallest loss; once for each objective."""
        for obj in (0, 1, 2):
            keep, path, losses = list(range(self.E)), [], []
            while len(keep) > stop:
                v = [self.loss([k for k in keep if k != e])[obj] for e in keep]; j = min(range(len(v)), key=lambda q: (v[q], q))
                path.append(keep.pop(j)); losses.append(v[j])
            yield torch.tensor(path, dtype=torch.int32), torch.tensor(losses, dtype=f64)


# --------------------------------------------------------------------------------------------- STUN stage 1
def stun_greedy(D, tau, cap=None):
    """Greedy merge with rejection; returns each expert's cluster label (smallest member)."""
    E = len(D); D = D.clone().to(f64); D.fill_diagonal_(INF); cl = {e: [e] for e in range(E)}; lab = list(range(E)); merges = 0
    cap = E - 1 if cap is None else cap
    while merges < cap and D.min() < tau:
        f = int(D.argmin()); i, j = divmod(f, E); a, b = cl[lab[i]], cl[lab[j]]
        if lab[i] != lab[j] and all(D[c, j] < tau for c in a) and all(D[c, i] < tau for c in b):
            for c in a: D[c, j] = D[j, c] = INF
            for c in b: D[c, i] = D[i, c] = INF
            m = sorted(a + b); del cl[lab[i]]; cl.pop(lab[j], None); cl[m[0]] = m; merges += 1
            for c in m: lab[c] = m[0]
        else: D[i, j] = D[j, i] = INF
    return lab

def complete_linkage(D):
    """Merge order: (smallest member of one cluster, of the other, height); ties take the smallest labels."""
    cl = {e: [e] for e in range(len(D))}; out = []
    while len(cl) > 1:
        h, a, b = min((max(float(D[x, y]) for x in cl[a] for y in cl[b]), a, b) for a, b in itertools.combinations(sorted(cl), 2))
        out.append((a, b, h)); cl[a] += cl.pop(b)
    return out

def global_cut(trees, E, total, floor):
    """Apply the lowest merges of all layers until `total` clusters are left; no layer below `floor`."""
    todo = sorted((h, l, n, a, b) for l, t in enumerate(trees) for n, (a, b, h) in enumerate(t)); labs = [list(range(E)) for _ in trees]; left = E * len(trees); last = None
    for h, l, n, a, b in todo:
        if left == total: break
        if len(set(labs[l])) <= floor: continue
        labs[l] = [a if c == b else c for c in labs[l]]; left -= 1; last = h
    assert left == total
    return labs, last

def flat(L): return torch.cat([t.flatten(1) for t in (L.w1, L.w2, L.w3)], 1).to(f64)

def representatives(L, lab):
    W, rep, dist = flat(L), {}, torch.zeros(len(lab), dtype=f64)
    for c in sorted(set(lab)):
        m = [e for e in range(len(lab)) if lab[e] == c]; d = (W[m] - W[m].mean(0)).norm(dim=1); dist[m] = d; rep[c] = m[int(d.argmin())]
    return rep, dist

def select(net, keeps):
    """Drop experts with their router rows; keeps[l] = sorted ids."""
    n = net.clone()
    for L, K in zip(n.layers, keeps):
        for w in ("router", "w1", "w2", "w3"): setattr(L, w, getattr(L, w)[list(K)])
    return n

def cluster_mean(net, labs):
    n = net.clone()
    for L, lab in zip(n.layers, labs):
        for w in ("router", "w1", "w2", "w3"):
            t = getattr(L, w); setattr(L, w, torch.stack([t[[e for e in range(len(lab)) if lab[e] == c]].to(f64).mean(0) for c in sorted(set(lab))]).to(t.dtype))
    return n

def replace(net, keeps, value):
    """Pruned experts become the constant value[l][e]; the router stays as it is."""
    n = net.clone()
    for l, (L, K) in enumerate(zip(n.layers, keeps)): L.const = {e: value[l][e] for e in range(len(L.router)) if e not in K}
    return n


# ------------------------------------------------------------------------------------------------- weights
def wanda_metric(W, sumx2, n):
    """|W| times the root mean square of each input; an expert never routed falls back to |W|."""
    return W.to(f64).abs() * ((sumx2.to(f64) / n).sqrt() if n > 0 else torch.ones_like(sumx2, dtype=f64))

def row_mask(metric, s):
    """True = kept.  Each output row loses its floor(cols*s) smallest entries, stable."""
    cut = math.floor(metric.shape[1] * s + 1e-9); order = torch.sort(metric, dim=1, stable=True)[1]
    return torch.ones_like(metric, dtype=torch.bool).scatter_(1, order[:, :cut], False)

def nm_mask(metric, n=2, m=4):
    """n of every m consecutive inputs are removed, smallest first, stable."""
    R, C = metric.shape; o = torch.sort(metric.view(R, C // m, m), dim=2, stable=True)[1]
    return torch.ones(R, C // m, m, dtype=torch.bool).scatter_(2, o[..., :n], False).view(R, C)

def tensor_mask(W, s, peer=False):
    """Magnitude.  exact: the floor(N*s) smallest, stable.  peer: all |w| <= sorted[int(N*s)]."""
    a = W.abs().flatten(); cut = int(a.numel() * s); o = torch.sort(a, stable=True)
    if peer: return (W.abs() > o[0][cut])
    return torch.ones_like(a, dtype=torch.bool).scatter_(0, o[1][:cut], False).view(W.shape)

def metrics(net, st):
    """[(layer, tensor, expert, metric)] of all expert matrices."""
    for l, L in enumerate(net.layers):
        for e in range(len(L.router)):
            n = int(st[f"layer.{l}.n"][e])
            for w, x in (("w1", "sum_x2"), ("w3", "sum_x2"), ("w2", "sum_u2")): yield l, w, e, wanda_metric(getattr(L, w)[e], st[f"layer.{l}.{x}"][e], n)

def owl(net, st, s, lam=.08, M=5.0):
    """Outlier share (percent) and sparsity of each layer; the mean kept share is weighted by expert parameters."""
    D, size = [], []
    for l, L in enumerate(net.layers):
        pool = torch.cat([m.flatten() for q, w, e, m in metrics(net, st) if q == l and int(st[f"layer.{l}.n"][e]) > 0])
        D.append(100 * float((pool > M * pool.mean()).to(f64).mean())); size.append(sum(getattr(L, w).numel() for w in ("w1", "w2", "w3")))
    D, size = torch.tensor(D, dtype=f64), torch.tensor(size, dtype=f64); span = D.max() - D.min()
    r = 2 * lam * (D - D.min()) / span if span > 0 else torch.zeros_like(D)
    keep = r - (r * size).sum() / size.sum() + 1 - s
    return D, (1 - keep).clamp(.01, .999)

def prune(net, st, s):
    """Wanda on every expert matrix; s is one ratio or one per layer."""
    n = net.clone()
    for L in n.layers:
        for w in ("w1", "w2", "w3"): setattr(L, w, getattr(L, w).clone())
    for l, w, e, m in metrics(net, st):
        getattr(n.layers[l], w)[e] *= row_mask(m, float(s[l]) if hasattr(s, "__len__") else s)
    return n

def hessian(X):
    X = X.to(f64); return 2 / len(X) * X.T @ X

def sparsegpt(W, H, s, damp=.01, block=128, peer=False):
    """Second-order pruning with weight update; the mask of a block is chosen when the block is reached."""
    W, H = W.to(f64).clone(), H.clone(); R, C = W.shape; dead = H.diag() == 0
    H[dead, dead] = 1; W[:, dead] = 0
    H += damp * H.diag().mean() * torch.eye(C, dtype=f64)
    U = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)
    keep = torch.ones(R, C, dtype=torch.bool)
    for b in range(0, C, block):
        B = min(C, b + block); Wb, Ub = W[:, b:B].clone(), U[b:B, b:B]; score = (Wb ** 2 / Ub.diag() ** 2).flatten(); cut = int(score.numel() * s)
        o = torch.sort(score, stable=True); kb = torch.ones_like(score, dtype=torch.bool)
        if peer: kb = score > o[0][cut]
        else: kb[o[1][:cut]] = False
        kb = kb.view(Wb.shape); Err = torch.zeros_like(Wb)
        for i in range(B - b):
            q = Wb[:, i] * kb[:, i]; e = (Wb[:, i] - q) / Ub[i, i]; Wb[:, i:] -= e[:, None] * Ub[i, i:]; Wb[:, i] = q; Err[:, i] = e
        W[:, b:B] = Wb; W[:, B:] -= Err @ U[b:B, B:]; keep[:, b:B] = kb
    return W * keep, keep

def sparsegpt_check(W, H, W2, keep, damp=.01):
    """Largest deviation of W2 from the closed form: given the columns left of i, the value of column i is the
    constrained least-squares optimum  w_i + (w-w')_{<i} H_{<i,>=i} inv(H_{>=i,>=i})[:,0]."""
    W, H = W.to(f64), H + damp * H.diag().mean() * torch.eye(len(H), dtype=f64); worst = 0
    for i in range(len(H)):
        t = torch.linalg.inv(H[i:, i:])[:, 0]; v = W[:, i] + (W[:, :i] - W2[:, :i]) @ H[:i, i:] @ t
        worst = max(worst, ((v - W2[:, i]).abs() * keep[:, i]).max().item())
    return worst

def recon(W, W2, H): d = W.to(f64) - W2.to(f64); return torch.einsum("ij,jk,ik->", d, H, d).item()

def prune_sparsegpt(net, taps, s, notes):
    n = net.clone()
    for l, (L, c) in enumerate(zip(n.layers, taps)):
        for w in ("w1", "w2", "w3"): setattr(L, w, getattr(L, w).clone())
        for e in range(len(L.router)):
            t, _ = torch.where(c.idx == e)
            if len(t) < 1:
                for w in ("w1", "w2", "w3"): getattr(L, w)[e] *= tensor_mask(getattr(L, w)[e], s)
                notes.append(f"layer {l} expert {e}: no tokens, magnitude"); continue
            if len(t) < net.d: notes.append(f"layer {l} expert {e}: {len(t)} tokens < {net.d}")
            x = c.x[t]; u, _ = expert(x, net.layers[l].w1[e], net.layers[l].w2[e], net.layers[l].w3[e]); Hx, Hu = hessian(x), hessian(u)
            for w, H in (("w1", Hx), ("w3", Hx), ("w2", Hu)): getattr(L, w)[e] = sparsegpt(getattr(net.layers[l], w)[e], H, s)[0].to(L.w1.dtype)
    return n

def sparsity(net, ref):
    """Share of the reference's expert parameters that are zero or gone."""
    full = sum(getattr(L, w).numel() for L in ref.layers for w in ("w1", "w2", "w3"))
    return 1 - sum(int((getattr(L, w) != 0).sum()) for L in net.layers for w in ("w1", "w2", "w3")) / full
