"""What methods compute of any checkpoint, in float64 by plain numpy, from the formulas of the literature. Given are an expert's
matrices, the rows that enter a layer's experts, whom the router picks and the coefficients it multiplies by; all else is
written out here. Nothing is shared with Cull.

u: a token's channels, the input of down; g: the coefficient; y: an expert's output before it. Where the coefficient
multiplies the input (llama4) x, u and y hold it, and g is 1.
"""
import numpy as np


def silu(a):
    return a / (1 + np.exp(-a))


ACTIVATIONS = {
    "SiLUActivation": silu,
    "GELUTanh": lambda a: 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a ** 3))),
    "ReLUSquaredActivation": lambda a: np.maximum(a, 0) ** 2,
}


class Layer:
    """The experts of one layer and the tokens that they see. Matrices are (E, out, in); gate is None where there is none.
    act: of ACTIVATIONS, or a limit, for gpt-oss's clamped gate."""

    def __init__(self, number, gate, up, down, act, biases=(None, None, None), gates_input=False):
        self.number, self.gate, self.up, self.down, self.act = number, gate, up, down, act
        self.gate_bias, self.up_bias, self.down_bias = biases
        self.gates_input = gates_input
        self.E, self.D, self.F = down.shape
        self.x, self.index, self.g = np.zeros((0, up.shape[2])), [], []

    def see(self, x, index, g):
        """x (n, D), index and g (n, K)."""
        self.x = np.concatenate([self.x, x])
        self.index = np.concatenate([self.index, index]) if len(self.index) else index
        self.g = np.concatenate([self.g, g]) if len(self.g) else g

    def matrices(self):
        return [m for m in (self.gate, self.up, self.down) if m is not None]

    def channels(self, e, x):
        """u of rows x (n, D)."""
        up = x @ self.up[e].T + (0 if self.up_bias is None else self.up_bias[e])
        if self.gate is None:
            return ACTIVATIONS[self.act](up)
        gate = x @ self.gate[e].T + (0 if self.gate_bias is None else self.gate_bias[e])
        if isinstance(self.act, float):
            gate, up = np.minimum(gate, self.act), np.clip(up, -self.act, self.act)
            return (up + 1) * gate / (1 + np.exp(-1.702 * gate))
        return ACTIVATIONS[self.act](gate) * up

    def routed(self, e):
        """x (n, D), g (n), u (n, F), y (n, D) of the tokens routed to expert e."""
        t, k = np.nonzero(self.index == e)
        x, g = self.x[t], self.g[t, k]
        if self.gates_input:
            x, g = x * g[:, None], np.ones_like(g)
        u = self.channels(e, x)
        return x, g, u, u @ self.down[e].T + (0 if self.down_bias is None else self.down_bias[e])


def scores_of_experts(layer):
    """{label: (E)}; an expert without tokens has 0, of those that vary one of a single token."""
    E, T = layer.E, len(layer.x)
    out = {name: np.zeros(E) for name in (
        "aimer", "count", "gate-sum", "mean-gate", "gate-probability", "variance", "mone", "mone-paper", "ean-sum",
        "ean-mean", "ean-square", "ean-ca", "reap", "reap-sum", "max-signed", "max-abs", "max-norm")}
    for e in range(E):
        flat = np.concatenate([m[e].ravel() for m in layer.matrices()])
        size = np.sqrt((flat ** 2).mean())
        of = {"aimer": -np.abs(flat).mean() / size if size > 0 else 0}
        x, g, u, y = layer.routed(e)
        if len(g):
            norm, spread = np.linalg.norm(y, axis=1), np.sqrt(y.var(0, ddof=1).sum()) if len(g) > 1 else 0
            picked = layer.g[layer.index == e]  # where the input holds it, too, the router's own
            of |= {
                "count": len(g), "gate-sum": picked.sum(), "mean-gate": picked.mean(), "gate-probability": picked.sum() / T,
                "variance": spread, "mone": spread * picked.sum() / T, "mone-paper": spread * picked.mean(),
                "ean-sum": norm.sum(), "ean-mean": norm.mean(), "ean-square": (norm ** 2).mean(),
                "ean-ca": np.linalg.norm(y.mean(0)), "reap": (g * norm).mean(), "reap-sum": (g * norm).sum(),
                "max-signed": y.max(), "max-abs": np.abs(y).max(), "max-norm": norm.max()}
        for name, value in of.items():
            out[name][e] = value
    return out


def scores_of_channels(layer):
    """{label: (E, F)} and n (E); "variation" is what flap's z-scores are made of, "mean" that of u."""
    E, F = layer.E, layer.F
    out = {name: np.zeros((E, F)) for name in ("magnitude", "wanda", "gated", "sum", "peak", "variation", "mean")}
    out["n"] = np.array([(layer.index == e).sum() for e in range(E)])
    for e in range(E):
        x, g, u, y = layer.routed(e)
        column = (layer.down[e] ** 2).sum(0)
        out["magnitude"][e] = np.sqrt(column + sum((m[e] ** 2).sum(1) for m in (layer.gate, layer.up) if m is not None))
        if len(g):
            gu = (g[:, None] * u) ** 2
            out["wanda"][e], out["gated"][e] = column * (u ** 2).mean(0), column * gu.mean(0)
            out["sum"][e], out["peak"][e], out["mean"][e] = column * gu.sum(0), column * gu.max(0), u.mean(0)
        if len(g) > 1:
            out["variation"][e] = column * u.var(0, ddof=1)
    return out


def camera(scores, r):
    return (1 - r) * scores["sum"] + r * scores["peak"]


def z_scores(variation, n):
    """Of all layers: lists of (E, F) and (E). A module without spread, or of fewer than two tokens, ranks lowest."""
    out = [np.full(v.shape, -np.inf) for v in variation]
    for z, v, count in zip(out, variation, n):
        for e in range(len(v)):
            if count[e] >= 2 and v[e].std() > 0:
                z[e] = (v[e] - v[e].mean()) / v[e].std()
    return out


def scores_of_weights(layer, gated):
    """[{part: (out, in)}] of the experts: |w| times the root mean square of its input, by |w| without tokens."""
    out = []
    for e in range(layer.E):
        x, g, u, _ = layer.routed(e)
        if gated:
            x, u = x * g[:, None], u * g[:, None]
        size = lambda a: np.sqrt((a ** 2).mean(0)) if len(a) else 1.0
        parts = {"up": np.abs(layer.up[e]) * size(x), "down": np.abs(layer.down[e]) * size(u)}
        if layer.gate is not None:
            parts["gate"] = np.abs(layer.gate[e]) * size(x)
        out.append(parts)
    return out
