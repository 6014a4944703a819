#!/usr/bin/env python3
"""Answers that cross the switch from short to long rope factors, of several prompts at once, some of which share their
beginning, and of several variants at once: they are those that transformers' generate() makes of each prompt alone, on
the model and on the exports of the variants. Some families rotate the keys before the switch anew, others keep them;
prompts are taken that tell.

    check_longrope.py CULL [FAMILY…]

Exits 77 where torch, transformers or h5py is missing.
"""
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import types

try:
    import h5py
    import torch
    import transformers
    from check_exports import byte_tokenizer
    from make_checkpoints import GQA, PHI, QWEN3, class_of, longrope, make
    from tokenizers import Tokenizer
    from transformers import AutoConfig, GenerationMixin
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

SWITCH, ANSWER, SHARED, LEAD = 40, 28, 18, 1e-3
FAMILIES = {
    "phimoe": ("phimoe", dict(PHI, rope_parameters=longrope(8, SWITCH, short_mscale=1.0, long_mscale=1.6))),
    "mixtral": ("mixtral", dict(intermediate_size=48, num_local_experts=8, num_experts_per_tok=2, head_dim=16,
                                rope_parameters=longrope(8, SWITCH, factor=4.0), **GQA)),
    "qwen3": ("qwen3_moe", dict(QWEN3, head_dim=16, rope_parameters=longrope(8, SWITCH, factor=4.0))),
}
EXPERIMENT = """
models:     {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:  {{ ids: {{ files: {work}/calibration.jsonl }} }}
methods:
  dropped: {{ criterion: frequency, strategy: lowest }}
  masked:  {{ criterion: wanda, strategy: unstructured }}
sparsities: 0.5
metrics:
  - generation: {{ tasks: {work}/answers.jsonl, max_new: {answer}, bos: none }}
"""


def prompts():
    """Two with nothing in common and many that begin alike, some of which are the beginning of others; one is there
    twice. They end before the switch, at it and beyond."""
    draw = random.Random(3)
    text = lambda n: "".join(draw.choice("0123456789 +-=") for _ in range(n))
    shared, crossing = text(SHARED), text(SWITCH)
    lengths = (0, 1, 3, 7, 12, SWITCH - SHARED - 1, SWITCH - SHARED, SWITCH - SHARED + 1, SWITCH - SHARED + 9)
    out = [shared + text(n) for n in lengths] + [crossing[:n] for n in (SWITCH - 20, SWITCH - 3, SWITCH)]
    return out + [out[2], text(25), text(37)]


def answer(model, ids, anew=None):
    """The new ids, and the least lead of one over the next best. anew: whether the keys are made anew in every step;
    None: as the family has it."""
    if anew is False:
        model.prepare_inputs_for_generation = types.MethodType(GenerationMixin.prepare_inputs_for_generation, model)
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=ANSWER,
                             use_cache=not anew, output_logits=True, return_dict_in_generate=True)
    if anew is False:
        del model.prepare_inputs_for_generation
    best = torch.cat(out.logits).topk(2).values
    return out.sequences[0, ids.shape[1]:].tolist(), (best[:, 0] - best[:, 1]).min().item()


def as_text(tokenizer, model, ids):
    """What Cull records of an answer: without what ends it, and up to NUL, where texts in HDF5 end."""
    end = model.generation_config.eos_token_id
    return tokenizer.decode(ids[:-1] if ids[-1] == end else ids).split("\0")[0]


def compare(label, folder, recorded, asked):
    """How many answers are transformers', and whether one of them tells what becomes of the keys."""
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    model = class_of(AutoConfig.from_pretrained(folder)).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    same = unsure = tells = 0
    for prompt, text in zip(asked, recorded):
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        want, lead = answer(model, ids)
        (kept, lead_kept), (anew, lead_anew) = answer(model, ids, False), answer(model, ids, True)
        if lead < LEAD:
            unsure += 1
            continue
        equal = as_text(tokenizer, model, want) == text
        same += equal
        tells += equal and kept != anew and min(lead_kept, lead_anew) > LEAD
        if not equal:
            print(f"  {len(prompt)} ids: {text!r} is not {as_text(tokenizer, model, want)!r}", flush=True)
    print(f"{label:20} {same} of {len(asked)} answers equal, {unsure} too near to call, {tells} tell", flush=True)
    return same + unsure == len(asked), tells


def run(cull, work, *more):
    """Trials by method, each with its answers."""
    out = os.path.join(work, "results" + "-".join(more))
    subprocess.run([cull, "run", os.path.join(work, "e.yaml"), "-o", out, "--quiet", *more], check=True)
    trials = {}
    for path in glob.glob(os.path.join(out, "trials", "*.h5")):
        with h5py.File(path) as h:
            trials[os.path.basename(path).split("-")[1]] = path, h["eval/answers/text"].asstr()[:].tolist()
    return trials


def check(cull, family, work):
    kind, options = FAMILIES[family]
    model, asked = os.path.join(work, "model"), prompts()
    make(model, kind, options, dict(dtype="f32"), 7)
    os.remove(os.path.join(model, "golden.safetensors"))
    with open(os.path.join(model, "config.json")) as f:
        config = json.load(f)
    with open(os.path.join(model, "config.json"), "w") as f:  # where PhiMoE's generate() looks for the switch
        json.dump(dict(config, original_max_position_embeddings=SWITCH), f)
    with open(os.path.join(model, "tokenizer.json"), "w") as f:
        json.dump(byte_tokenizer(config["vocab_size"]), f)
    ids = torch.randint(256, (6, 48), generator=torch.Generator().manual_seed(5))
    with open(os.path.join(work, "calibration.jsonl"), "w") as f:
        f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
    with open(os.path.join(work, "answers.jsonl"), "w") as f:
        for prompt in asked:
            f.write(json.dumps({"requests": [{"ctx": prompt, "until": [], "max": ANSWER}], "target": "?"}) + "\n")
    with open(os.path.join(work, "e.yaml"), "w") as f:
        f.write(EXPERIMENT.format(model=model, work=work, answer=ANSWER))
    trials = run(cull, work)
    good, told = {m: t[1] for m, t in run(cull, work, "--threads", "1").items()} == {m: t[1] for m, t in trials.items()}, 0
    for method, (path, texts) in sorted(trials.items()):
        folder = model
        if method != "dense":
            folder = os.path.join(work, method)
            subprocess.run([cull, "export", path, "-o", folder], check=True, stderr=subprocess.DEVNULL)
        same, tells = compare(f"{family} {method}", folder, texts, asked)
        good &= same
        told += tells
    return good and told > 0


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    cull, *wanted = sys.argv[1:]
    good = True
    for family in wanted or FAMILIES:
        with tempfile.TemporaryDirectory() as work:
            good &= check(cull, family, work)
    sys.exit(not good)


if __name__ == "__main__":
    main()
