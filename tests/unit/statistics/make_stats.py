"""Writes stats.json: what scipy, and lm-evaluation-harness's formulas, compute of the same numbers.

    python make_stats.py > stats.json
"""
import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(7)
out = {}

out["t_cdf"] = [[t, df, stats.t.cdf(t, df)] for df in (1, 2, 3.7, 19, 399, 1e5) for t in (-30, -2, -0.1, 0, 0.7, 4)]
out["t_quantile"] = [[p, df, stats.t.ppf(p, df)] for df in (1, 2, 3.7, 19, 399, 1e5) for p in (0.001, 0.025, 0.5, 0.9, 0.975)]
out["normal_quantile"] = [[p, stats.norm.ppf(p)] for p in (0.001, 0.025, 0.3, 0.975)]
out["mcnemar"] = [[b, c, stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0]
                  for b, c in ((0, 0), (0, 1), (1, 0), (3, 12), (12, 3), (10, 10), (10, 11), (40, 71), (300, 380), (0, 60))]

x = rng.normal(0.3, 1, 37).round(6)
y = (x + rng.normal(0.2, 0.5, 37)).round(6)
test = stats.ttest_rel(y, x)
ci = test.confidence_interval(0.95)
out["paired"] = {"x": x.tolist(), "y": y.tolist(), "value": float(np.mean(y - x)),
                 "error": float(stats.sem(y - x)), "low": ci.low, "high": ci.high, "p": test.pvalue}

# Cluster-robust error of a mean: OLS on a constant with clusters, as Stata and statsmodels have it
# (G / (G - 1); (n - 1) / (n - k) is 1 for one regressor).
cluster = rng.integers(0, 9, 37)
cluster = np.unique(cluster, return_inverse=True)[1]
r = x - x.mean()
G = cluster.max() + 1
sums = np.array([r[cluster == c].sum() for c in range(G)])
out["clustered"] = {"x": x.tolist(), "cluster": cluster.tolist(),
                    "error": float(np.sqrt((sums**2).sum() * G / (G - 1)) / len(x)), "df": int(G - 1)}

# Ratio estimator, by the jackknife: what linearisation comes close to.
a, b = rng.gamma(20, 3, 200).round(6), rng.integers(100, 300, 200)
n = len(a)
leave = (a.sum() - a) / (b.sum() - b)
out["ratio"] = {"a": a.tolist(), "b": b.tolist(), "value": float(a.sum() / b.sum()),
                "jackknife": float(np.sqrt((n - 1) / n * ((leave - leave.mean()) ** 2).sum()))}

# A studentised bootstrap in scipy's hands is not there; its plain one is near for a mean.
boot = stats.bootstrap((x, y), lambda u, v: np.mean(v) - np.mean(u), paired=True, vectorized=False,
                       n_resamples=9999, method="BCa", rng=np.random.default_rng(1))
out["bootstrap"] = {"low": boot.confidence_interval.low, "high": boot.confidence_interval.high}

# Holm (1979), step down with monotone adjustment.
p = np.array([0.01, 0.04, 0.03, 0.005, 0.5, 0.04])
order = np.argsort(p, kind="stable")
adjusted = np.empty_like(p)
adjusted[order] = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
out["holm"] = {"p": p.tolist(), "adjusted": adjusted.tolist()}

# lm_eval.api.metrics.pooled_sample_stderr
errors, sizes = [0.02, 0.05, 0.013], [100, 50, 400]
pooled = sum((s - 1) * e**2 * s for e, s in zip(errors, sizes)) / (sum(sizes) - len(sizes))
out["pooled"] = {"error": errors, "n": sizes, "value": float(np.sqrt(pooled / sum(sizes)))}

print(json.dumps(out, indent=1))
