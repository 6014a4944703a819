"""torch's scaled_dot_product_attention at the shapes of bench/attention, with its arguments.

    python bench/attention.py SEQUENCES LENGTH HEADS KV_HEADS WIDTH WINDOW THREADS RUNS
"""
import json
import sys
import time

import torch


def main():
    sequences, length, heads, kv_heads, width, window, threads, runs = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    q = torch.rand(sequences, heads, length, width) * 2 - 1
    k, v = (torch.rand(sequences, kv_heads, length, width) * 2 - 1 for _ in range(2))
    mask = None
    if window:
        i = torch.arange(length)
        back = i[:, None] - i[None, :]
        mask = (back >= 0) & (back < window)
    seconds = []
    with torch.inference_mode():
        for _ in range(runs):
            start = time.perf_counter()
            torch.nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=mask, is_causal=not window, enable_gqa=heads != kv_heads)
            seconds.append(round(time.perf_counter() - start, 4))
    print(json.dumps({"tokens": sequences * length, "seconds": seconds}))


main()
