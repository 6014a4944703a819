#!/usr/bin/env python3
"""Write longrope.json: what transformers' generate() makes of phimoe-longrope, greedily and in f32, where answers cross
the switch from short to long factors (32 positions), begin at it, or beyond it.

    make_longrope.py ARCHITECTURES/phimoe-longrope [-o longrope.json]
"""
import argparse, json, pathlib

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("-o", default="longrope.json", type=pathlib.Path)
args = parser.parse_args()
model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").eval()
rows = []
for n in 20, 31, 32, 33, 40:
    ids = torch.tensor([[(7 * i * i + 3 * i + n) % 300 + 3 for i in range(n)]])
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24,
                             output_scores=True, return_dict_in_generate=True, eos_token_id=None, pad_token_id=0)
    lead = min(float(s[0].topk(2).values[0] - s[0].topk(2).values[1]) for s in out.scores)
    rows.append({"prompt": ids[0].tolist(), "answer": out.sequences[0, n:].tolist(), "least_lead": round(lead, 6)})
args.o.write_text(json.dumps(rows, indent=1) + "\n")
