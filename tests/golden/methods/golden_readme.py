"""The README of a folder of golden values, for make_methods.py: what every tensor is, and how far two paths agree."""
# (file, name pattern, shape, definition); every saved tensor must match exactly one line
DOC = [
("calibration", r"ids", "[72,256] i32", "calibration rows; row r belongs to domain r//8 (domains alphabetical, 8 rows each). A row is BOS id 0 followed by 255 consecutive ids of the domain's calibration text encoded once as a whole without special tokens; row i of a domain takes ids 255i..255i+254"),
("calibration", r"heldout_ids", "[180,256] i32", "the same from the held-out texts, 20 rows per domain"),
("stats", r"layer\.\d+\.n", "[E] i64", "n_e = number of calibration tokens whose chosen set S contains e"),
("stats", r"layer\.\d+\.sum_g", "[E] f64", "sum over routed tokens of g, the coefficient the model really multiplies y_e by"),
("stats", r"layer\.\d+\.sum_g2", "[E] f64", "sum over routed tokens of g^2"),
("stats", r"layer\.\d+\.sum_p", "[E] f64", "sum over ALL tokens of softmax(z)_e, softmax over all E logits"),
("stats", r"layer\.\d+\.coact", "[E,E] i64", "number of tokens whose S contains both i and j, i != j; symmetric, zero diagonal; entries sum to T*k*(k-1)"),
("stats", r"layer\.\d+\.sum_norm", "[E] f64", "sum over routed tokens of N = l2 norm of y_e (unweighted expert output)"),
("stats", r"layer\.\d+\.sum_norm2", "[E] f64", "sum over routed tokens of N^2"),
("stats", r"layer\.\d+\.sum_g_norm", "[E] f64", "sum over routed tokens of g*N"),
("stats", r"layer\.\d+\.max_norm", "[E] f64", "max N over routed tokens; 0 if n_e = 0"),
("stats", r"layer\.\d+\.max_signed", "[E] f64", "largest signed component of y_e over routed tokens and channels; 0 if n_e = 0"),
("stats", r"layer\.\d+\.max_abs", "[E] f64", "largest |component| of y_e over routed tokens and channels; 0 if n_e = 0"),
("stats", r"layer\.\d+\.mean_y", "[E,d] f64", "mean of y_e over routed tokens (the MoNE novice, before any rounding); 0 if n_e = 0"),
("stats", r"layer\.\d+\.var_y", "[E,d] f64", "per-channel variance of y_e over routed tokens, divisor n_e-1; 0 if n_e < 2"),
("stats", r"layer\.\d+\.phi_var", "[E] f64", "sqrt(sum_c var_y[e,c])"),
("stats", r"layer\.\d+\.novice_gw", "[E,d] f64", "sum(g^2 y_e)/sum(g^2) over routed tokens, the v minimising sum |g(y_e-v)|^2; 0 if n_e = 0"),
("stats", r"layer\.\d+\.easyep", "[E] f64", "sum over routed tokens of s*g*N with s = max(0, 1-cos(h, h+o)), h = residual stream entering the MoE sub-layer (before its norm), o = sub-layer output"),
("stats", r"layer\.\d+\.logit_gram", "[E,E] f64", "sum over all tokens of z z^T, z = raw router logits"),
("stats", r"layer\.\d+\.sigmoid_gram", "[E,E] f64", "sum over all tokens of s s^T, s = 1/(1+exp(-z))"),
("stats", r"layer\.\d+\.sum_x2", "[E,d] f64", "sum over routed tokens of x^2 per channel, x = normalised MoE input (input of gate w1 and up w3)"),
("stats", r"layer\.\d+\.sum_u2", "[E,f] f64", "sum over routed tokens of u^2, u = silu(w1 x)*(w3 x) (input of down w2)"),
("stats", r"layer\.\d+\.sum_attn_in2", "[d] f64", "sum over all tokens of squared input of q/k/v (after the input norm)"),
("stats", r"layer\.\d+\.sum_o_in2", "[heads*head_dim] f64", "sum over all tokens of squared input of the attention output projection"),
("stats", r"layer\.\d+\.sum_moe_in2", "[d] f64", "sum over all tokens of x^2 (router input)"),
("stats", r"layer\.\d+\.dense_mean_y", "[E,d] f64", "mean of y_e over ALL tokens, routed or not"),
("stats", r"layer\.\d+\.moe_cos_sum", "[1] f64", "sum over all tokens of cos(h, h+o)"),
("stats", r"layer\.\d+\.topk", "[T,k] u8", "chosen experts of every token in falling order of p; token index = 256*row + position"),
("stats", r"layer\.\d+\.margin_min", "[1] f64", "smallest p_(k) - p_(k+1) over tokens: how near the nearest routing tie is"),
("stats", r"layer\.\d+\.near_ties", "[1] i64", "tokens with p_(k) - p_(k+1) < 1e-5; only these may be routed otherwise by a correct float32 implementation"),
("stats", r"model\.cos_sum", "[L+1,L+1] f64", "entry (i,j), i<j: sum over all tokens of cos(h_i, h_j); h_0 = embeddings, h_i = residual stream after layer i (h_L before the final norm); other entries 0"),
("stats", r"model\.angle_sum", "[L+1,L+1] f64", "the same with arccos(clamp(cos,-1,1))/pi"),
("scores", r"layer\.\d+\.frequency", "[E] f64", "n_e"),
("scores", r"layer\.\d+\.gate_sum", "[E] f64", "sum g (RS)"),
("scores", r"layer\.\d+\.mean_gate", "[E] f64", "sum g / n_e, 0 if n_e = 0"),
("scores", r"layer\.\d+\.mean_p", "[E] f64", "sum p / T"),
("scores", r"layer\.\d+\.ean", "[E] f64", "sum N"),
("scores", r"layer\.\d+\.ean_mean", "[E] f64", "sum N / n_e"),
("scores", r"layer\.\d+\.ean_sq_mean", "[E] f64", "sum N^2 / n_e"),
("scores", r"layer\.\d+\.reap", "[E] f64", "sum gN / n_e"),
("scores", r"layer\.\d+\.gate_norm_sum", "[E] f64", "sum gN"),
("scores", r"layer\.\d+\.mone_variance", "[E] f64", "phi_var"),
("scores", r"layer\.\d+\.mone_freq_code", "[E] f64", "sum g / T"),
("scores", r"layer\.\d+\.mone_freq_paper", "[E] f64", "sum g / n_e"),
("scores", r"layer\.\d+\.mone_fused", "[E] f64", "phi_var * sum g / T (no constant 0.25); this is 'mone_fused' wherever it is named below"),
("scores", r"layer\.\d+\.mone_fused_paper", "[E] f64", "phi_var * sum g / n_e"),
("scores", r"layer\.\d+\.easyep", "[E] f64", "statistic F, not normalised"),
("scores", r"layer\.\d+\.max_signed", "[E] f64", "as in stats"),
("scores", r"layer\.\d+\.ean_ca", "[E] f64", "l2 norm of mean_y"),
("scores", r"layer\.\d+\.stun_a_raw", "[E,E] f64", "l2 distance of router rows i, j (diagonal 0; an algorithm puts +inf there)"),
("scores", r"layer\.\d+\.stun_a_norm", "[E,E] f64", "stun_a_raw / Frobenius norm of the whole [E,d] router"),
("scores", r"layer\.\d+\.stun_b_raw", "[E,E] f64", "-coact"),
("scores", r"layer\.\d+\.stun_b_norm", "[E,E] f64", "-coact / mean(coact), mean over all E*E entries with the zero diagonal"),
("scores", r"layer\.\d+\.stun_c_raw", "[E,E] f64", "stun_a_raw - mu*coact/mean(coact), mu = 1 (the peer's form: rows not normalised)"),
("scores", r"layer\.\d+\.stun_c_norm", "[E,E] f64", "stun_a_norm - mu*coact/mean(coact), mu = 1"),
("scores", r"layer\.\d+\.msmoe_similarity", "[E,E] f64", "(cos+1)/2 of columns i, j of the T x E logit matrix, from logit_gram"),
("scores", r"layer\.\d+\.msmoe_similarity_sigmoid", "[E,E] f64", "the same from sigmoid_gram"),
("scores", r"layer\.\d+\.hcsmoe_distance", "[E,E] f64", "l2 distance of rows of dense_mean_y"),
("subsets", r"rows", "[9] i32", "the rows of calibration.ids that are used (first row of each domain)"),
("subsets", r"layer\.\d+\.moe_input", "[9*256,d] f32", "x of these rows from the dense float32 forward; all losses below are float64 functions of this tensor and of the layer's weights"),
("subsets", r"layer\.\d+\.residual_norm2", "[9*256] f64", "squared norm of the residual stream after the layer (dense), the weight of objective rel"),
("subsets", r"layer\.\d+\.output_energy", "[1] f64", "sum of |dense MoE output|^2 over these tokens"),
("subsets", r"layer\.\d+\.keep\d+\.(sq|peer|rel)", "[C(E,r)] f64", "loss of every kept set of size r in lexicographic order of sorted kept ids (0,1,..,r-1 first). Delta = output with only the kept experts (dropped logits -inf, softmax, top-k again, renormalised where the model does) minus dense output. sq = sum |Delta_t|^2; peer = sum over the 9 rows of sqrt(sum of |Delta_t|^2 in the row); rel = sum |Delta_t|^2/residual_norm2_t. Coefficient changes below 1e-12 count as 0, so removing experts no token uses costs exactly 0"),
("subsets", r"layer\.\d+\.keep\d+\.best_(sq|peer|rel)", "[r] i32", "first set with the smallest loss"),
("subsets", r"layer\.\d+\.keep\d+\.(best|second)_(sq|peer|rel)_loss", "[1] f64", "its loss, and the second smallest (equal where sets tie)"),
("subsets", r"layer\.\d+\.greedy_(sq|peer|rel)\.removed", "[E-k] i32", "greedy removal path under the named objective: expert removed at each step, down to k kept; ties remove the lowest index"),
("subsets", r"layer\.\d+\.greedy_(sq|peer|rel)\.loss", "[E-k] f64", "loss (named objective) after each removal"),
("stun", r"taus", "[3] f64", "thresholds of the greedy variant, on stun_a_norm"),
("stun", r"mu", "[1] f64", "mu of mode c"),
("stun", r"layer\.\d+\.greedy_tau\d\.cluster", "[E] i32", "stun-greedy label (= smallest member) at taus[i], distance stun_a_norm, cap E-1. D = distance with +inf diagonal; while min D < tau: take the first arg-min (row-major) (i,j); if i and j lie in different clusters and D[c,j] < tau for all c in cl(i) and D[c,i] < tau for all c in cl(j): unite and set those entries (both triangles) to inf, else set D[i,j]=D[j,i]=inf"),
("stun", r"layer\.\d+\.merge_(a|b)", "[E-1] i32", "complete-linkage merges on stun_a_norm in order: labels (smallest members, a<b) of the two clusters; ties take the smallest (a,b)"),
("stun", r"layer\.\d+\.merge_height", "[E-1] f64", "largest pairwise distance inside the merged cluster"),
("stun", r"layer\.\d+\.cluster", "[E] i32", "label (= smallest member) after applying the lowest merges of all layers, sorted by (height, layer, order), until 3/4 of all experts remain; a layer never falls below k"),
("stun", r"layer\.\d+\.representative", "[E] i32", "of each expert: the kept member of its cluster = nearest in l2 to the cluster's mean of flattened (w1,w2,w3); ties take the first"),
("stun", r"layer\.\d+\.dist_to_mean", "[E] f64", "that distance (0 for a singleton)"),
("stun", r"layer\.\d+\.kept", "[clusters] i32", "sorted representatives; 'keep representative' keeps their weights and router rows only"),
("stun", r"layer\.\d+\.mean_router", "[clusters,d] f32", "'cluster mean': mean of the members' router rows, clusters in order of label (mean in f64, rounded to f32)"),
("stun", r"layer\.\d+\.cluster\.\d+\.mean_w[123]", "[f,d] or [d,f] f32", "'cluster mean' weights of one sample cluster (by label)"),
("stun", r"layer\.\d+\.stage2_n", "[kept] i64", "n_e of a forward of the stage-1 model (keep representative, all layers at once) over the calibration rows"),
("stun", r"layer\.\d+\.stage2_sum_x2", "[kept,d] f64", "sum_x2 of the same forward"),
("weights", r"layer\.0\.expert\.\d+\.w[123]\.wanda50", "[rows,cols] u8", "1 = kept. Metric |W_ij| sqrt(sum x_j^2 / n_e), inputs sum_x2 for w1, w3 and sum_u2 for w2; each output row loses its floor(cols*0.5) smallest, stable (equal: leftmost first). An expert with n_e=0 uses |W_ij|"),
("weights", r"layer\.0\.expert\.\d+\.w[123]\.wanda50_gap", "[1] f64", "smallest relative gap between the last pruned and first kept metric over the rows: below ~1e-6 a float32 implementation may swap that pair"),
("weights", r"layer\.0\.expert\.0\.w1\.wanda_metric", "[f,d] f64", "the metric itself"),
("weights", r"layer\.0\.expert\.0\.w1\.wanda_2of4", "[f,d] u8", "1 = kept; of every 4 consecutive inputs the 2 smallest metrics go (stable)"),
("weights", r"layer\.0\.expert\.\d+\.w[123]\.magnitude50_stats", "[6] f64", "kept entries (exact: floor(N/2) smallest |w| removed, stable row-major), kept entries (peer: |w| <= sorted|w|[int(N/2)] removed), that threshold, sum of |w| kept exact, same peer, entries kept by both exact and wanda50"),
("weights", r"layer\.0\.expert\.0\.w[123]\.magnitude50", "[rows,cols] u8", "1 = kept, exact rule"),
("weights", r"layer\.0\.expert\.0\.w[123]\.sparsegpt50\.weight", "[rows,cols] f64", "SparseGPT, 50 %, damp 0.01, block 128, all in f64, from dense routed inputs; mask = the floor(rows*cols_block/2) smallest w^2/U_ii^2 of the block, stable row-major"),
("weights", r"layer\.0\.expert\.0\.w[123]\.sparsegpt50\.keep", "[rows,cols] u8", "its mask"),
("weights", r"layer\.0\.expert\.0\.w[123]\.sparsegpt50\.block32_(weight|keep)", "[rows,cols] f64 / u8", "the same with block 32, which exercises the lazy update between blocks"),
("weights", r"layer\.0\.expert\.0\.w[123]\.sparsegpt50\.hessian", "[cols,cols] f64", "H = (2/n_e) sum x x^T over routed tokens (u for w2), undamped"),
("weights", r"layer\.0\.expert\.0\.w[123]\.sparsegpt50\.errors", "[6] f64", "tr((W-W')H(W-W')^T) with undamped H for: SparseGPT block 128, block 32, block 128 with the peer's '<= threshold' mask (one more entry), Wanda 50 %, magnitude 50 % exact, W' = 0"),
("weights", r"model\.owl50\.outlier_percent", "[L] f64", "D_l = 100 * share of Wanda metric entries > 5 * their mean, pooled over all expert matrices of layer l (w1,w2,w3 of every expert with n_e>0)"),
("weights", r"model\.owl50\.sparsity", "[L] f64", "1 - keep_l, keep_l = r_l - mean(r) + 0.5, r_l = 2*0.08*(D_l-min)/(max-min), mean weighted by expert parameters; clamped to [0.01, 0.999]"),
("eval", r"[^/]+\.nll", "[9,20] f64", "summed cross-entropy (nats) of the 255 targets of every held-out row, per domain"),
("eval", r"[^/]+\.ppl", "[9] f64", "exp(sum nll / (20*255)) per domain"),
("eval", r"[^/]+\.ppl_pooled", "[1] f64", "exp(sum of all nll / (180*255))"),
("eval", r"[^/]+\.layer\.\d+\.kept", "[kept] i32", "sorted kept experts of the variant"),
("eval", r"stun\+owl-\d+\.(outlier_percent|layer_sparsity)", "[L] f64", "OWL on the stage-1 model: D_l and the layer's stage-2 sparsity"),
]

VARIANTS = """
- `dense`: unpruned. `drop-C-r`: per layer the r highest scores of criterion C stay (ties drop the lower index), the others go with their router rows, so softmax and top-k run over the rest. `random<seed>`: numpy `default_rng(seed)`, one `permutation(E)` per layer in order, its first r entries. `naee_*`: best enumerated set; `greedy_*`: greedy path (objective sq, peer or rel).
- `drop-C-stuncounts`: the number kept in each layer is STUN's (file `stun`); `drop-C-global`: one ranking of raw scores over all layers down to 3/4 of all experts, at least k per layer. `drop-stun_M-cut` / `-cut-half` / `-uniform`: STUN representatives from complete linkage on distance M, cut globally to 3/4 or 1/2 of all experts, or to 3/4 in every layer.
- `novice-C-r`: the experts that `drop-C-r` would drop return the constant mean_y instead; router untouched. `novice_bf16`: constants rounded to bf16; `novice_gw`: constants novice_gw; `zero`: constants 0.
- `stun-representative`, `stun-mean`: file `stun`, 3/4 of all experts (equal to `drop-stun_a_norm-cut` for the first).
- `wanda-S`, `owl-S`: all expert matrices, statistics from the dense model, S % sparsity. `X+wanda-S`, `X+owl-S`: expert removal first (sparsity s_e = 1/4), then stage 2 at s_u = 1-(1-S)/(1-s_e) on statistics of one forward of the reduced model (not layer by layer). Rows lose floor(cols*s), so the realised total (column sparsity) is a little below S.
- `wanda-50-propagated`: layer by layer, each layer's statistics come from a forward with the earlier layers already pruned. `wanda-2of4`. `magnitude-S`: per matrix, exact rule.
- `sparsegpt-S`: one-shot, Hessians from dense activations, damp 0.01, block 128, f64, result rounded to f32; experts without tokens fall back to magnitude, experts with fewer tokens than d rely on damping (listed in report.json `sparsegpt_notes`). `stun+sparsegpt-S`: on the stage-1 model's activations.
"""

NOTES = """
- Subset rows: the first row of each domain (0, 8, .., 64); steps of 9 from 0 would give eight rows and miss the last domain.
- Dropping an expert means softmax over the kept logits, then top-k, then renormalisation only where the model does it. Without renormalisation (OLMoE) every gate of a token grows a little even if its chosen experts all stay.
- Unrouted experts score 0 in every activation criterion and go first, lower index first. Their Wanda metric is |W| alone (rows still lose the same count), they are left out of the OWL pool, and SparseGPT falls back to magnitude.
- Exact counts everywhere: floor(N*s) smallest, stable. The peers' 'score <= sorted[int(N*s)]' (magnitude, SparseGPT) removes one more per tensor or block; both are recorded. Row counts are floor(cols*s + 1e-9).
- Wanda and OWL use per-token mean squares (sum x^2 / n_e): it cannot change a mask within a row but does change the pooled outlier share of experts with different n_e.
- OWL pools expert matrices only, because only they are pruned here; the mean kept share is weighted by parameters, so layers with fewer experts count less after stage 1.
- MoNE: frequency is the code's sum g / T; the fused score drops the constant 0.25. Novices stay in float32 unless the variant says bf16.
- STUN: the peer's rule that a layer with at most two clusters takes cluster means never applies here, so both reconstructions are given for all layers. The all-layer merge order breaks equal heights by layer, then by order in the layer. mode c has mu = 1.
- stun-greedy: entries between members of one cluster can only be met as an arg-min and are then rejected, so it does not matter which of them are set to inf.
- Stage 2 after STUN uses statistics of one forward of the reduced model, not the dense ones (routing has changed) and not layer by layer.
- Hidden states of the layer cosines are residual streams; the last one is taken before the final norm (transformers' last `hidden_states` entry is after it).
- Held-out perplexity predicts 255 targets per row, BOS only as context.
"""

def readme(out, rep, files):
    import re
    lines = [f"# Golden values: {out.name}", "",
        f"Made by `make_methods.py` from the checkpoint with sha256 `{rep['sha256']}` (bf16 tensors upcast to float32). L={rep['L']} layers, E={rep['E']} experts, k={rep['k']}, d={rep['d']}, f={rep['f']}; gate values {'renormalised over the chosen experts' if rep['renorm'] else 'are the plain softmax values of the chosen experts (not renormalised)'}. T={rep['T']} tokens, all counted. Domains: {', '.join(rep['domains'])}.", "",
        "Forward in float32, sums in float64. Units: logits and hidden states as the model has them, loss in nats. w1 = gate, w3 = up, w2 = down. Statistics were taken with forward hooks on the transformers model; an own decoder written from the checkpoint reproduces them (see Agreement).", "",
        "| file | tensor | shape, type | definition |", "|---|---|---|---|"]
    for f, pat, shape, text in DOC:
        if any(re.fullmatch(pat, n) for n in files[f]): lines.append(f"| {f} | `{pat.replace('|', chr(92) + '|')}` | {shape} | {text.replace('|', chr(92) + '|')} |")
    for f, d in files.items():
        for n, t in d.items():
            hit = [p for g, p, *_ in DOC if g == f and re.fullmatch(p, n)]
            assert len(hit) >= 1, (f, n); assert t.dim() <= 2, n
    rel = lambda q: ", ".join(f"{k} {v:.1e}" for k, v in sorted(q.items(), key=lambda i: -i[1])[:6])
    lines += ["", "## Agreement", "",
        f"- hooks v own decoder, both float32, worst |a-b|/max|a| of a statistic: {rel(rep['deviation_direct32'])}; tokens routed differently per layer: {rep['flips32']}",
        f"- hooks v own decoder in float64 (what float32 arithmetic itself costs): {rel(rep['deviation_direct64'])}; tokens routed differently per layer: {rep['flips64']}. A tolerance of 1e-4 relative to the tensor's maximum is generous where no token flips",
        f"- closest routing tie per layer {['%.1e' % v for v in rep['margin_min']]}, tokens within 1e-5: {rep['near_ties']}; n_e from {rep['n_min']} to {rep['n_max']} per layer. Where a token's margin is below float32 rounding (about 1e-7) a correct implementation may route it the other way: allow n, coact and topk to differ by the number of such tokens",
        f"- Gram trick v really sliced layers, worst relative difference {rep['gram_trick_max_rel']:.1e}; smallest gap between any two logits of a token on the subset rows {['%.1e' % v for v in rep['logit_gap_min']]}",
        f"- complete linkage v scipy heights: {rep['linkage_vs_scipy']}; last merge taken {rep['stun_last_height']:.6f}, next {rep['stun_next_height']:.6f}; distance of the taus from the nearest entry {['%.1e' % v for v in rep['tau_gap']]}",
        f"- SparseGPT v closed form with explicit inverses (max abs difference of a weight): {max(v[c] for v in rep['sparsegpt'].values() for c in ('closed_form', 'closed_form_block32')):.1e}",
        f"- held-out nll v transformers: dense {rep['dense_nll_vs_transformers']:.1e}, after removing rows and experts {rep['drop_nll_vs_transformers']:.1e}; float32 v float64 {rep['dense_nll_vs_float64']:.1e} (relative, worst row)",
        f"- smallest relative score gap at a cut: {', '.join(f'{k} {v:.1e}' for k, v in rep['cut_gap'].items())}", "",
        "## End-to-end variants (file `eval`)", VARIANTS, f"STUN clusters of more than one expert, per layer: {rep['stun_clusters']}; kept per layer {rep['stun_counts']}; clusters of the greedy variant at taus {rep['taus']}: {rep['greedy_clusters']}.", "",
        "| variant | pooled | " + " | ".join(rep["domains"]) + " | expert sparsity |", "|---" * (len(rep["domains"]) + 3) + "|"]
    for n, r in rep["table"].items():
        lines.append(f"| {n} | {r['pooled']:.4f} | " + " | ".join(f"{r['ppl'][q]:.3f}" for q in rep["domains"]) + f" | {'%.4f' % r['sparsity'] if 'sparsity' in r else ''} |")
    lines += ["", "## Layer-wise loss of the criteria's sets", "", "Loss sq of the set as a share of the output energy, and in brackets the share of " + ("all sets of that size" if rep["E"] <= 16 else "300 random sets of that size (seeds `default_rng([7, r, i])`, i < 300)") + " that do strictly better; one entry per layer. Rows best, median and worst are of the same collection.", "",
              "| criterion@kept | " + " | ".join(f"layer {l}" for l in range(rep["L"])) + " |", "|---" * (rep["L"] + 1) + "|"]
    lines += [f"| {c} | " + " | ".join(f"{a:.5f} ({b:.4f})" for a, b in v) + " |" for c, v in rep["subset_rank"].items()]
    if rep["E"] <= 16:
        same = {f"{o}@{r}": [bool(abs(float(files["subsets"][f"layer.{l}.greedy_{o}.loss"][rep["E"] - r - 1] / files["subsets"][f"layer.{l}.keep{r}.best_{o}_loss"]) - 1) < 1e-9)
                if float(files["subsets"][f"layer.{l}.keep{r}.best_{o}_loss"]) else True for l in range(rep["L"])] for o in ("sq", "peer", "rel") for r in (14, 12, 8)}
        lines += ["", f"Greedy removal reaches the enumerated optimum (per layer): {same}"]
    lines += ["", "## Choices where the specification leaves room", NOTES]
    (out / "README.md").write_text("\n".join(lines) + "\n")
