"""Golden values for criteria of channels, AIMER and the gated Wanda, in float64 from plain numpy: a decoder of its own,
every formula written out once more, nothing shared with Cull or with make_methods.py but the rows of tokens.

    make_channels.py MODEL_DIR METHODS_DIR        METHODS_DIR/<model>/channels.safetensors

u = silu(w1 x) * (w3 x) are an expert's channels (F of them), g the gate that its output is multiplied by. Of layer l:

  n, u_mean, u_var, u_sq, gx_sq, gu_sq, gu_peak     statistics over the tokens routed to an expert; u_var has the divisor n - 1
  aimer       (E)     (sum|w| / m) / sqrt(sum w^2 / m) over the m weights of all three matrices
  magnitude   (E, F)  norm of [w1 row, w3 row, w2 column]
  wanda       (E, F)  mean u^2 * |w2 column|^2
  flap        (E, F)  var u * |w2 column|^2, z-scored over the F channels of an expert; a constant expert, or one of fewer than
                      two tokens, is 1 below the lowest of all
  camera      (E, F)  |w2 column|^2 * sum (g u)^2;  camera_peak: the mean of that and |w2 column|^2 * max (g u)^2

Variants: METHOD-PERCENT.nll is [9, 20] f64, the summed cross-entropy of every held-out row; METHOD-PERCENT.kept is (L, E, F) u8.
  flap-P         one ranking of the model; channels go while 3 D a channel, less D for the output bias of each expert with
                 tokens that lost some, stay within P % of the experts' parameters; flap-P.bias (L, E, D) = w2[:, gone] @ u_mean[gone]
  flap-plain-P   the same without biases
  camera-P       one ranking in each layer, P % of its channels; layer l is scored on what the cut layers before it let through
  wanda-equal-P  P % of every expert's channels
"""
import json, pathlib, sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
import ml_dtypes  # bfloat16 for numpy's view of safetensors

T = 256


def silu(x): return x / (1 + np.exp(-x))
def softmax(z): p = np.exp(z - z.max(-1, keepdims=True)); return p / p.sum(-1, keepdims=True)
def rms(x, w, eps): return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


class Model:
    def __init__(self, path):
        path = pathlib.Path(path); c = json.loads((path / "config.json").read_text())
        f = safe_open(path / "model.safetensors", "np"); names = set(f.keys())
        get = lambda n: f.get_tensor(n).astype(np.float64)
        mixtral = c["model_type"] == "mixtral"
        self.D, self.H, self.KV = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
        self.K, self.eps = c["num_experts_per_tok"], c["rms_norm_eps"]
        self.renorm = mixtral or c.get("norm_topk_prob", False)
        self.E = c["num_local_experts"] if mixtral else c["num_experts"]
        theta = (c.get("rope_parameters") or c)["rope_theta"]; self.hd = c.get("head_dim") or self.D // self.H
        inv = (1.0 / theta ** (np.arange(0, self.hd, 2, dtype=np.float32) / self.hd)).astype(np.float32).astype(np.float64)
        angle = np.outer(np.arange(T), inv); angle = np.concatenate([angle, angle], 1)
        self.cos, self.sin = np.cos(angle), np.sin(angle)
        self.embed, self.head, self.norm = get("model.embed_tokens.weight"), get("lm_head.weight"), get("model.norm.weight")
        self.layer = []
        for l in range(c["num_hidden_layers"]):
            p = f"model.layers.{l}."; a = p + "self_attn."
            moe, words = (p + "block_sparse_moe.", ("w1", "w2", "w3")) if mixtral else (p + "mlp.", ("gate_proj", "down_proj", "up_proj"))
            stack = lambda w: np.stack([get(f"{moe}experts.{e}.{w}.weight") for e in range(self.E)])
            maybe = lambda n: get(n) if n in names else None
            self.layer.append(dict(n1=get(p + "input_layernorm.weight"), n2=get(p + "post_attention_layernorm.weight"),
                q=get(a + "q_proj.weight"), k=get(a + "k_proj.weight"), v=get(a + "v_proj.weight"), o=get(a + "o_proj.weight"),
                qn=maybe(a + "q_norm.weight"), kn=maybe(a + "k_norm.weight"), router=get(moe + "gate.weight"),
                w1=stack(words[0]), w2=stack(words[1]), w3=stack(words[2])))

    def attention(self, L, x):
        B = len(x); q, k, v = x @ L["q"].T, x @ L["k"].T, x @ L["v"].T
        if L["qn"] is not None: q, k = rms(q, L["qn"], self.eps), rms(k, L["kn"], self.eps)
        split = lambda t: t.reshape(B, T, -1, self.hd).transpose(0, 2, 1, 3)
        turn = lambda t: t * self.cos + np.concatenate([-t[..., self.hd // 2:], t[..., :self.hd // 2]], -1) * self.sin
        q, k, v = turn(split(q)), turn(split(k)), split(v)
        k, v = (t.repeat(self.H // self.KV, 1) for t in (k, v))
        s = q @ k.transpose(0, 1, 3, 2) / np.sqrt(self.hd) + np.triu(np.full((T, T), -np.inf), 1)
        return (softmax(s) @ v).transpose(0, 2, 1, 3).reshape(B, T, -1) @ L["o"].T

    def route(self, L, x):
        p = softmax(x @ L["router"].T); index = np.argsort(-p, 1, kind="stable")[:, :self.K]
        g = np.take_along_axis(p, index, 1)
        return index, g / g.sum(1, keepdims=True) if self.renorm else g

    def moe(self, L, x, cut, see):
        """cut: (kept (E, F), bias (E, D)) of the layer, or None; see(e, x, g, u) of every expert's rows"""
        index, g = self.route(L, x); out = np.zeros_like(x)
        for e in range(self.E):
            t, s = np.nonzero(index == e)
            if not len(t): continue
            u = silu(x[t] @ L["w1"][e].T) * (x[t] @ L["w3"][e].T)
            if see: see(e, x[t], g[t, s], u)
            y = u @ L["w2"][e].T if cut is None else (u * cut[0][e]) @ L["w2"][e].T + cut[1][e]
            out[t] += g[t, s][:, None] * y
        return out

    def step(self, l, h, cut=None, see=None):
        L = self.layer[l]; h = h + self.attention(L, rms(h, L["n1"], self.eps))
        x = rms(h, L["n2"], self.eps).reshape(-1, self.D)
        return h + self.moe(L, x, cut, see).reshape(h.shape)

    def nll(self, ids, cut):
        h = self.embed[ids]
        for l in range(len(self.layer)): h = self.step(l, h, cut[l])
        z = rms(h, self.norm, self.eps)[:, :-1] @ self.head.T; m = z.max(-1, keepdims=True)
        lse = (m + np.log(np.exp(z - m).sum(-1, keepdims=True)))[..., 0]
        return (lse - np.take_along_axis(z, ids[:, 1:, None], 2)[..., 0]).sum(1)


class Seen:
    """What the tokens routed to each expert of a layer look like; rows come a few sequences at a time."""
    def __init__(self, m, l):
        self.m, self.w2 = m, m.layer[l]["w2"]; self.rows = [[] for _ in range(m.E)]
    def __call__(self, e, x, g, u): self.rows[e].append((x, g, u))

    def statistics(self):
        m, F = self.m, self.w2.shape[2]; out = dict(n=np.zeros(m.E), gx_sq=np.zeros((m.E, m.D)))
        for k in ("u_mean", "u_var", "gu_sq", "gu_peak", "u_sq"): out[k] = np.zeros((m.E, F))
        for e, rows in enumerate(self.rows):
            if not rows: continue
            x, g, u = (np.concatenate(q) for q in zip(*rows)); g = g[:, None]
            out["n"][e] = len(g); out["gx_sq"][e] = ((g * x) ** 2).sum(0); out["gu_sq"][e] = ((g * u) ** 2).sum(0)
            out["gu_peak"][e] = ((g * u) ** 2).max(0); out["u_mean"][e] = u.mean(0); out["u_sq"][e] = (u ** 2).sum(0)
            if len(g) > 1: out["u_var"][e] = u.var(0, ddof=1)
        return out

    def scores(self, s):
        w = (self.w2 ** 2).sum(1)
        return dict(wanda=s["u_sq"] / np.maximum(s["n"], 1)[:, None] * w, camera=w * s["gu_sq"], camera_peak=w * (s["gu_sq"] + s["gu_peak"]) / 2,
                    variation=s["u_var"] * w)


def flap(variation, count):
    """z-scores of all layers' experts"""
    z, dead = [np.zeros_like(v) for v in variation], []
    for l, v in enumerate(variation):
        for e in range(len(v)):
            if count[l][e] < 2 or v[e].std() == 0: dead.append((l, e))
            else: z[l][e] = (v[e] - v[e].mean()) / v[e].std()
    low = min(z[l][e].min() for l in range(len(z)) for e in range(len(z[l])) if (l, e) not in dead)
    for l, e in dead: z[l][e] = low - 1
    return z

def lowest_within(score, params, D, biased):
    """kept (L, E, F): channels go in rising order while what goes stays within params; biased (L, E): whose loss has a bias"""
    L, E, F = score.shape; kept = np.ones((L, E, F)); gone = 0
    for i in np.argsort(score.reshape(-1), kind="stable"):
        l, e, c = np.unravel_index(i, score.shape); gone += 3 * D - (D if biased[l, e] and kept[l, e].all() else 0)
        if gone > params: break
        kept[l, e, c] = 0
    return kept


def main(model, methods):
    m = Model(model); name = pathlib.Path(model).name; d = pathlib.Path(methods) / name
    cal = safe_open(d / "calibration.safetensors", "np"); ids, held = cal.get_tensor("ids").astype(int), cal.get_tensor("heldout_ids").astype(int)
    held = held.reshape(-1, T); L, E, F, D = len(m.layer), m.E, m.layer[0]["w1"].shape[1], m.D; out = {}

    def walk(decide):
        """Layer by layer over all rows; decide(l, seen) gives the layer's cut, which the layers after it see"""
        h = m.embed[ids]; cuts = []
        for l in range(L):
            seen = Seen(m, l); dense = np.concatenate([m.step(l, h[i:i + 8], None, seen) for i in range(0, len(h), 8)])
            cuts.append(decide(l, seen))
            h = dense if cuts[l] is None else np.concatenate([m.step(l, h[i:i + 8], cuts[l]) for i in range(0, len(h), 8)])
        return cuts

    stats, scores = [], []
    def gather(l, seen): s = seen.statistics(); stats.append(s); scores.append(seen.scores(s))
    walk(gather)
    z = flap([s["variation"] for s in scores], [s["n"] for s in stats])
    for l in range(L):
        w = [m.layer[l][k] for k in ("w1", "w3", "w2")]; flat = np.concatenate([x.reshape(E, -1) for x in w], 1)
        rms_w = np.sqrt((flat ** 2).mean(1)); one = dict(stats[l])
        one["aimer"] = np.abs(flat).mean(1) / np.where(rms_w > 0, rms_w, 1)
        one["magnitude"] = np.sqrt((w[0] ** 2).sum(2) + (w[1] ** 2).sum(2) + (w[2] ** 2).sum(1))
        one.update(wanda=scores[l]["wanda"], camera=scores[l]["camera"], camera_peak=scores[l]["camera_peak"], flap=z[l])
        out.update({f"layer.{l}.{k}": np.ascontiguousarray(v) for k, v in one.items()})

    def run(label, kept, bias):
        cut = [(kept[l], bias[l]) for l in range(L)]
        out[label + ".nll"] = np.concatenate([m.nll(held[i:i + 10], cut) for i in range(0, len(held), 10)]).reshape(9, 20)
        out[label + ".kept"] = kept.astype(np.uint8)
        print(name, label, np.exp(out[label + ".nll"].sum() / (180 * 255)), flush=True)

    none = np.zeros((L, E, D))
    for percent in (25, 50):
        params = percent * L * E * F * 3 * D // 100
        kept = lowest_within(np.stack(z), params, D, np.stack([s["n"] for s in stats]) > 0)
        bias = np.stack([np.stack([m.layer[l]["w2"][e] @ ((1 - kept[l, e]) * stats[l]["u_mean"][e]) for e in range(E)]) for l in range(L)])
        run(f"flap-{percent}", kept, bias); out[f"flap-{percent}.bias"] = bias
        run(f"flap-plain-{percent}", lowest_within(np.stack(z), params, D, np.zeros((L, E), bool)), none)
        kept = np.ones((L, E, F)); n = percent * F // 100
        for l in range(L):
            for e in range(E): kept[l, e, np.argsort(scores[l]["wanda"][e], kind="stable")[:n]] = 0
        run(f"wanda-equal-{percent}", kept, none)
        def decide(l, seen):
            score = seen.scores(seen.statistics())["camera"].reshape(-1); kept = np.ones(E * F)
            kept[np.argsort(score, kind="stable")[:percent * E * F // 100]] = 0
            return kept.reshape(E, F), np.zeros((E, D))
        run(f"camera-{percent}", np.stack([c[0] for c in walk(decide)]), none)
    save_file(out, d / "channels.safetensors")


if __name__ == "__main__": main(*sys.argv[1:3])
