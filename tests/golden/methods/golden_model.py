"""The models and what is gathered on them, for make_methods.py: rows of tokens, a decoder written from the checkpoint's
tensors, and every calibration statistic on two paths."""
import itertools, json, math, pathlib, time
from types import SimpleNamespace as NS
import torch
import torch.nn.functional as F
from safetensors import safe_open

torch.set_num_threads(1)
torch.set_grad_enabled(False)
f32, f64 = torch.float32, torch.float64
INF = float("inf")
T0 = time.time()
def log(*a): print(f"[{time.time()-T0:6.0f}s]", *a, flush=True)


# ----------------------------------------------------------------------------------------------------- data
def domains(text): return sorted(p.name.split(".")[0] for p in pathlib.Path(text).glob("*.calibration.txt"))

def rows(tok, path, n, width=256):
    """n rows: BOS (id 0) and then 255 consecutive token ids; row i takes ids 255i .. 255i+254."""
    ids = tok.encode(pathlib.Path(path).read_text(), add_special_tokens=False).ids
    body = torch.tensor(ids[:n * (width - 1)]).view(n, width - 1)
    return torch.cat([torch.zeros(n, 1, dtype=torch.long), body], 1)


# -------------------------------------------------------------------------------------------------- decoder
def rms(x, w, eps): return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w

def route(z, k, renorm):
    """Gate values and experts (in falling order of p) of every token."""
    g, i = torch.softmax(z, -1).topk(k, -1)
    return (g / g.sum(-1, keepdim=True) if renorm else g), i

def expert(x, w1, w2, w3):
    u = F.silu(x @ w1.T) * (x @ w3.T)
    return u, u @ w2.T


class Net:
    """Mixtral / OLMoE decoder.  A pruning method is a change of one layer's tensors."""
    def __init__(self, path, dtype=f32):
        path = pathlib.Path(path); c = json.loads((path / "config.json").read_text()); self.cfg = c
        st = safe_open(path / "model.safetensors", "pt"); get = lambda n: st.get_tensor(n).to(dtype)
        names = set(st.keys()); mix = c["model_type"] == "mixtral"
        self.d, self.heads, self.kv = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
        self.k, self.renorm, self.eps = c["num_experts_per_tok"], mix or c.get("norm_topk_prob", False), c["rms_norm_eps"]
        E = c.get("num_local_experts") if mix else c["num_experts"]
        theta = c["rope_parameters"]["rope_theta"] if "rope_parameters" in c else c["rope_theta"]
        hd = c.get("head_dim") or self.d // self.heads
        # the inverse frequencies are float32 in the reference; keep them so in every precision
        inv = (1.0 / theta ** (torch.arange(0, hd, 2, dtype=f32) / hd)).to(dtype)
        ang = torch.outer(torch.arange(1024).to(dtype), inv); ang = torch.cat([ang, ang], 1)
        self.cos, self.sin = ang.cos(), ang.sin()
        assert c.get("clip_qkv") is None and c.get("sliding_window") is None
        self.emb, self.head, self.norm = get("model.embed_tokens.weight"), get("lm_head.weight"), get("model.norm.weight")
        self.layers = []
        for i in range(c["num_hidden_layers"]):
            p = f"model.layers.{i}."; a = p + "self_attn."
            m = p + ("block_sparse_moe." if mix else "mlp."); w = ("w1", "w2", "w3") if mix else ("gate_proj", "down_proj", "up_proj")
            stack = lambda q: torch.stack([get(f"{m}experts.{e}.{q}.weight") for e in range(E)])
            opt = lambda n: get(n) if n in names else None
            self.layers.append(NS(ln1=get(p + "input_layernorm.weight"), ln2=get(p + "post_attention_layernorm.weight"),
                q=get(a + "q_proj.weight"), kk=get(a + "k_proj.weight"), v=get(a + "v_proj.weight"), o=get(a + "o_proj.weight"),
                qn=opt(a + "q_norm.weight"), kn=opt(a + "k_norm.weight"), router=get(m + "gate.weight"),
                w1=stack(w[0]), w2=stack(w[1]), w3=stack(w[2]), const={}))

    def clone(self):
        n = Net.__new__(Net); n.__dict__ = dict(self.__dict__); n.layers = [NS(**{**vars(l), "const": dict(l.const)}) for l in self.layers]
        return n

    def attention(self, L, x):
        B, S, _ = x.shape; hd = L.q.shape[0] // self.heads
        q, k, v = x @ L.q.T, x @ L.kk.T, x @ L.v.T
        if L.qn is not None: q, k = rms(q, L.qn, self.eps), rms(k, L.kn, self.eps)
        sp = lambda t: t.view(B, S, -1, hd).transpose(1, 2)
        q, k, v = sp(q), sp(k), sp(v)
        def rot(t): return t * self.cos[:S] + torch.cat([-t[..., hd // 2:], t[..., :hd // 2]], -1) * self.sin[:S]
        q, k = rot(q), rot(k)
        k, v = k.repeat_interleave(self.heads // self.kv, 1), v.repeat_interleave(self.heads // self.kv, 1)
        s = q @ k.transpose(2, 3) * hd ** -.5
        s = s.masked_fill(torch.ones(S, S, dtype=torch.bool).triu(1), -INF)
        return (torch.softmax(s, -1) @ v).transpose(1, 2).reshape(B, S, -1)      # input of o_proj

    def moe(self, L, x, tap=None):
        z = x @ L.router.T
        g, idx = route(z, self.k, self.renorm)
        out = torch.zeros_like(x)
        for e in range(len(L.router)):
            t, s = torch.where(idx == e)
            if not len(t): continue
            y = L.const[e].to(x.dtype).expand(len(t), -1) if e in L.const else expert(x[t], L.w1[e], L.w2[e], L.w3[e])[1]
            out.index_add_(0, t, g[t, s, None] * y)
        if tap is not None: tap.update(x=x, z=z, g=g, idx=idx, out=out)
        return out

    def forward(self, ids, taps=None):
        h = self.emb[ids]; B, S, d = h.shape
        for i, L in enumerate(self.layers):
            tap = None if taps is None else taps[i]
            x = rms(h, L.ln1, self.eps); a = self.attention(L, x)
            if tap is not None: tap.update(h0=h.reshape(-1, d), attn_in=x.reshape(-1, d), o_in=a.reshape(B * S, -1))
            h = h + a @ L.o.T
            if tap is not None: tap.update(h=h.reshape(-1, d))
            h = h + self.moe(L, rms(h, L.ln2, self.eps).reshape(-1, d), tap).view(B, S, d)
            if tap is not None: tap.update(h1=h.reshape(-1, d))
        return rms(h, self.norm, self.eps)

    def capture(self, ids, chunk=8):
        """Every layer's inputs and outputs for all tokens, concatenated in row order."""
        parts = []
        for b in range(0, len(ids), chunk):
            taps = [{} for _ in self.layers]; self.forward(ids[b:b + chunk], taps); parts.append(taps)
        return [NS(**{n: torch.cat([p[i][n] for p in parts]) for n in parts[0][i]}) for i in range(len(self.layers))]

    def nll(self, ids, chunk=10):
        """Summed cross-entropy of the 255 targets of every row (nats)."""
        out = []
        for b in range(0, len(ids), chunk):
            r = ids[b:b + chunk]; lp = (self.forward(r)[:, :-1] @ self.head.T).to(f64).log_softmax(-1)
            out.append(-lp.gather(2, r[:, 1:, None])[..., 0].sum(1))
        return torch.cat(out)


# --------------------------------------------------------------------------------- statistics, direct path
def cosine(a, b):
    a, b = a.to(f64), b.to(f64)
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))

def direct_stats(net, taps):
    """Whole-tensor two-pass version: routed tokens of each expert are gathered."""
    out = {}
    for l, (L, c) in enumerate(zip(net.layers, taps)):
        E, d, T, D = len(L.router), net.d, len(c.x), f64; ff = L.w1.shape[1]
        v = lambda *s: torch.zeros(*s, dtype=D); P = f"layer.{l}."
        s = {n: v(E) for n in ("sum_g", "sum_g2", "sum_norm", "sum_norm2", "sum_g_norm", "max_norm", "max_signed", "max_abs", "phi_var", "easyep")}
        s["n"] = torch.zeros(E, dtype=torch.int64)
        for n in ("mean_y", "var_y", "novice_gw", "dense_mean_y", "sum_x2"): s[n] = v(E, d)
        s["sum_u2"] = v(E, ff)
        hit = F.one_hot(c.idx, E).sum(1).to(torch.int64)
        s["coact"] = (hit.T @ hit); s["coact"].fill_diagonal_(0)
        s["sum_p"] = torch.softmax(c.z.to(D), -1).sum(0)
        st = (1 - cosine(c.h, c.h.to(D) + c.out.to(D))).clamp_min(0)
        for e in range(E):
            s["dense_mean_y"][e] = expert(c.x, L.w1[e], L.w2[e], L.w3[e])[1].to(D).mean(0)
            t, j = torch.where(c.idx == e); s["n"][e] = len(t)
            if not len(t): continue
            g = c.g[t, j].to(D); u, y = expert(c.x[t], L.w1[e], L.w2[e], L.w3[e]); u, y, x = u.to(D), y.to(D), c.x[t].to(D)
            N = y.norm(dim=1)
            for n, q in (("sum_g", g.sum()), ("sum_g2", (g * g).sum()), ("sum_norm", N.sum()), ("sum_norm2", (N * N).sum()),
                         ("sum_g_norm", (g * N).sum()), ("max_norm", N.max()), ("max_signed", y.max()), ("max_abs", y.abs().max()),
                         ("easyep", (st[t] * g * N).sum()), ("mean_y", y.mean(0)), ("var_y", y.var(0, unbiased=True) if len(t) > 1 else v(d)),
                         ("novice_gw", (g[:, None] ** 2 * y).sum(0) / (g * g).sum()), ("sum_x2", (x * x).sum(0)), ("sum_u2", (u * u).sum(0))): s[n][e] = q
        s["phi_var"] = s["var_y"].sum(1).sqrt()
        z = c.z.to(D); s["logit_gram"] = z.T @ z; sg = torch.sigmoid(z); s["sigmoid_gram"] = sg.T @ sg
        s["sum_attn_in2"] = c.attn_in.to(D).pow(2).sum(0); s["sum_o_in2"] = c.o_in.to(D).pow(2).sum(0); s["sum_moe_in2"] = c.x.to(D).pow(2).sum(0)
        s["moe_cos_sum"] = cosine(c.h, c.h1).sum().view(1)
        out.update({P + n: q for n, q in s.items()})
    hs = [taps[0].h0] + [c.h1 for c in taps]; n = len(hs); C, A = torch.zeros(n, n, dtype=f64), torch.zeros(n, n, dtype=f64)
    for i, j in itertools.combinations(range(n), 2):
        q = cosine(hs[i], hs[j]); C[i, j] = q.sum(); A[i, j] = (q.clamp(-1, 1).arccos() / math.pi).sum()
    out["model.cos_sum"], out["model.angle_sum"] = C, A
    return out


# --------------------------------------------------------------------------------- statistics, stream path
class Stream:
    """Hooks on the transformers model; each batch goes through all experts, a [T,E] gate matrix selects."""
    def __init__(self, model, renorm):
        self.m, self.h = model, {}; self.acc = [None] * len(model.model.layers); self.tops = []; self.margin = []
        self.T = 0; self.cos = self.ang = 0
        for i, L in enumerate(model.model.layers):
            first = lambda o: o[0] if isinstance(o, tuple) else o
            L.register_forward_pre_hook(lambda mod, a, i=i: self.h.__setitem__((i, "h0"), a[0]))
            L.register_forward_hook(lambda mod, a, o, i=i: self.h.__setitem__((i, "h1"), first(o)))
            L.self_attn.q_proj.register_forward_pre_hook(lambda mod, a, i=i: self.h.__setitem__((i, "attn_in"), a[0]))
            L.self_attn.o_proj.register_forward_pre_hook(lambda mod, a, i=i: self.h.__setitem__((i, "o_in"), a[0]))
            L.post_attention_layernorm.register_forward_pre_hook(lambda mod, a, i=i: self.h.__setitem__((i, "h"), a[0]))
            L.mlp.gate.register_forward_hook(lambda mod, a, o, i=i: self.h.__setitem__((i, "gate"), (a[0],) + o))
            L.mlp.register_forward_hook(lambda mod, a, o, i=i: self.h.__setitem__((i, "out"), first(o)))

    def batch(self, ids):
        self.m(input_ids=ids, use_cache=False); self.T += ids.numel(); tops = []; margin = []
        for i, L in enumerate(self.m.model.layers):
            get = lambda n: self.h[i, n].reshape(-1, self.h[i, n].shape[-1]); D = f64
            x, z, g, idx = (t.reshape(-1, t.shape[-1]) for t in self.h[i, "gate"]); T, E = z.shape
            G = torch.zeros(T, E).scatter_(1, idx, g); M = torch.zeros(T, E).scatter_(1, idx, 1.0)
            gu, dn = L.mlp.experts.gate_up_proj, L.mlp.experts.down_proj
            a = torch.einsum("td,efd->etf", x, gu); ff = dn.shape[2]; u = F.silu(a[..., :ff]) * a[..., ff:]
            Y = torch.einsum("etf,edf->etd", u, dn)
            err = (torch.einsum("te,etd->td", G, Y) - get("out")).abs().max().item()
            assert err < 2e-4 * max(1., get("out").abs().max().item()), err
            G, M, Y, u, xd, zd = (t.to(D) for t in (G, M, Y, u, x, z)); N = (Y * Y).sum(2).sqrt().T        # [T,E]
            h, o = get("h").to(D), get("out").to(D); big = torch.finfo(D).min
            s = NS(n=M.sum(0), sum_g=G.sum(0), sum_g2=(G * G).sum(0), sum_p=torch.softmax(zd, 1).sum(0), coact=M.T @ M,
                   sum_norm=(M * N).sum(0), sum_norm2=(M * N * N).sum(0), sum_g_norm=(G * N).sum(0), sum_g2y=torch.einsum("te,etd->ed", G * G, Y),
                   easyep=((1 - cosine(h, h + o)).clamp_min(0)[:, None] * G * N).sum(0), logit_gram=zd.T @ zd, sigmoid_gram=torch.sigmoid(zd).T @ torch.sigmoid(zd),
                   sum_x2=M.T @ (xd * xd), sum_u2=torch.einsum("te,etf->ef", M, u * u), dense_sum_y=Y.sum(1),
                   sum_attn_in2=get("attn_in").to(D).pow(2).sum(0), sum_o_in2=get("o_in").to(D).pow(2).sum(0), sum_moe_in2=(xd * xd).sum(0),
                   moe_cos_sum=cosine(h, h + o).sum().view(1))
            off = (M == 0).T
            mx = NS(max_norm=N.T.masked_fill(off, big).amax(1), max_signed=Y.amax(2).masked_fill(off, big).amax(1), max_abs=Y.abs().amax(2).masked_fill(off, big).amax(1))
            mean = torch.einsum("te,etd->ed", M, Y) / s.n.clamp_min(1)[:, None]
            m2 = torch.stack([(M[:, e, None] * (Y[e] - mean[e]) ** 2).sum(0) for e in range(E)])
            if self.acc[i] is None: self.acc[i] = (s, mx, mean, m2)
            else:                                                                                        # Chan et al.
                S, X, mu, q = self.acc[i]; na, nb = S.n[:, None], s.n[:, None]; nn = (na + nb).clamp_min(1); dl = mean - mu
                mu, q = mu + dl * nb / nn, q + m2 + dl * dl * na * nb / nn
                for n in vars(s): setattr(S, n, getattr(S, n) + getattr(s, n))
                for n in vars(mx): setattr(X, n, torch.maximum(getattr(X, n), getattr(mx, n)))
                self.acc[i] = (S, X, mu, q)
            tops.append(idx.to(torch.uint8)); p = torch.softmax(zd, 1).sort(1, descending=True)[0]; k = idx.shape[1]; margin.append(p[:, k - 1] - p[:, k])
        L = len(self.acc); hs = [self.h[0, "h0"]] + [self.h[i, "h1"] for i in range(L)]
        C, A = torch.zeros(L + 1, L + 1, dtype=f64), torch.zeros(L + 1, L + 1, dtype=f64)
        for i, j in itertools.combinations(range(L + 1), 2):
            c = F.cosine_similarity(hs[i].to(f64), hs[j].to(f64), dim=-1); C[i, j] = c.sum(); A[i, j] = (c.clamp(-1, 1).arccos() / math.pi).sum()
        self.cos, self.ang = self.cos + C, self.ang + A; self.tops.append(tops); self.margin.append(margin)

    def result(self):
        out = {"model.cos_sum": self.cos, "model.angle_sum": self.ang}
        for i, (s, x, mu, q) in enumerate(self.acc):
            n = s.n; seen = (n > 0)
            r = {k: v for k, v in vars(s).items() if k not in ("sum_g2y", "dense_sum_y", "coact", "n")}
            r.update({k: torch.where(seen, v, torch.zeros_like(v)) for k, v in vars(x).items()})
            r["n"] = n.round().to(torch.int64); r["coact"] = s.coact.round().to(torch.int64); r["coact"].fill_diagonal_(0)
            r["mean_y"], r["var_y"] = mu, q / (n - 1).clamp_min(1)[:, None]; r["phi_var"] = r["var_y"].sum(1).sqrt()
            r["novice_gw"] = s.sum_g2y / s.sum_g2.clamp_min(1e-300)[:, None]; r["dense_mean_y"] = s.dense_sum_y / self.T
            out.update({f"layer.{i}.{k}": v for k, v in r.items()})
            out[f"layer.{i}.topk"] = torch.cat([t[i] for t in self.tops])
            m = torch.cat([t[i] for t in self.margin]); out[f"layer.{i}.margin_min"] = m.min().view(1); out[f"layer.{i}.near_ties"] = (m < 1e-5).sum().view(1)
        return out

def direct_stats_h(net, taps):
    """n, sum x^2 and sum u^2 of every expert only."""
    out = {}
    for l, (L, c) in enumerate(zip(net.layers, taps)):
        E = len(L.router); n = torch.zeros(E, dtype=torch.int64); a = torch.zeros(E, net.d, dtype=f64); b = torch.zeros(E, L.w1.shape[1], dtype=f64)
        for e in range(E):
            t, _ = torch.where(c.idx == e); x = c.x[t]; u, _ = expert(x, L.w1[e], L.w2[e], L.w3[e]); n[e] = len(t); a[e] = x.to(f64).pow(2).sum(0); b[e] = u.to(f64).pow(2).sum(0)
        out.update({f"layer.{l}.n": n, f"layer.{l}.sum_x2": a, f"layer.{l}.sum_u2": b})
    return out
