#!/usr/bin/env python3
"""Write longrope.json: what transformers' generate() makes, greedily and in f32, of checkpoints whose rope factors switch
at 32 positions, where answers cross the switch, begin at it, or beyond it. PhiMoE drops its cache there, other families
go on with the keys that they have; prompts are taken for which that makes another answer, where an answer crosses, and
no two tokens are near to call.

    make_longrope.py ARCHITECTURES [-o longrope.json]
"""
import argparse, itertools, json, pathlib, shutil, tempfile, types

import torch
from transformers import AutoModelForCausalLM, GenerationMixin

SWITCH, LEAD, NEW = 32, 1e-3, 12
FACTORS = dict(original_max_position_embeddings=SWITCH, rope_type="longrope", rope_theta=10000.0,
               short_factor=[1 + 0.05 * i for i in range(8)], long_factor=[2.5 + 1.5 * i for i in range(8)])
MODELS = {"phimoe-longrope": dict(FACTORS, short_mscale=1.0, long_mscale=1.6), "mixtral": dict(FACTORS, factor=4.0)}


def answer(model, ids, cached):
    """The new tokens, and the least lead of one of them over the next best."""
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=NEW,
                             use_cache=cached, output_scores=True, return_dict_in_generate=True, eos_token_id=None,
                             pad_token_id=0)
    best = torch.cat(out.scores).topk(2).values
    return out.sequences[0, ids.shape[1]:].tolist(), (best[:, 0] - best[:, 1]).min().item()


def kept(model, ids):
    """The answer with the keys that there are, as families make it that have no rule of their own."""
    model.prepare_inputs_for_generation = types.MethodType(GenerationMixin.prepare_inputs_for_generation, model)
    out = answer(model, ids, True)
    del model.prepare_inputs_for_generation
    return out


def row(model, n):
    """The first prompt of n ids that tells keys that stay from keys that are made anew; beyond the switch, any."""
    for seed in itertools.count():
        ids = torch.tensor([[(7 * i * i + 3 * i + n + 11 * seed) % 300 + 3 for i in range(n)]])
        (stay, lead), (anew, other) = kept(model, ids), answer(model, ids, False)
        if min(lead, other) > LEAD and (n > SWITCH or stay != anew):
            return {"prompt": ids[0].tolist(), "answer": answer(model, ids, True)[0],
                    "least_lead": round(min(lead, other), 6)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("architectures", type=pathlib.Path)
    parser.add_argument("-o", default="longrope.json", type=pathlib.Path)
    args = parser.parse_args()
    out = []
    for name, rope in MODELS.items():
        config = json.loads((args.architectures / name / "config.json").read_text())
        config.update(rope_parameters=rope, original_max_position_embeddings=SWITCH)
        if config.get("head_dim", 0) is None:  # transformers trips over null here
            config["head_dim"] = config["hidden_size"] // config["num_attention_heads"]
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(args.architectures / name / "model.safetensors", folder)
            (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        out.append({"weights": name, "config": config, "rows": [row(model, n) for n in (25, 31, 32, 33, 40)]})
    args.o.write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
