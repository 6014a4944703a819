"""Writes agreement.json: rank correlations, and the Jaccard index that chance gives, by scipy.

    python make_agreement.py > agreement.json
"""
import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(3)
L, E = 3, 12
a = rng.integers(0, 8, (L, E)).astype(float)  # with ties
b = a + rng.normal(0, 3, (L, E)).round(3)
rho = [stats.spearmanr(a[l], b[l]).statistic for l in range(L)]


def chance(n, x, y):
    k = np.arange(min(x, y) + 1)
    return float((stats.hypergeom.pmf(k, n, x, y) * k / (x + y - k)).sum())


print(json.dumps({"L": L, "E": E, "a": a.ravel().tolist(), "b": b.ravel().tolist(),
                  "rho": float(np.mean(rho)),
                  "chance": [[12, 3, 3, chance(12, 3, 3)], [12, 6, 4, chance(12, 6, 4)],
                             [64, 32, 32, chance(64, 32, 32)], [8, 7, 5, chance(8, 7, 5)]]}, indent=1))
