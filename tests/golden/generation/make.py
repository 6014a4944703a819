#!/usr/bin/env python3
"""Write cases.json: what lm-evaluation-harness 0.4.13 gets from transformers 5.23's generate() for tinyworld-mixtral,
in f32, one prompt at a time, where the files beside the weights say something else about answers.

    make.py MODEL [-o cases.json]

Each case has the whole text of the files that differ (null: there is no such file) and its answers: the task's row,
all new ids, the text as lm-eval cuts it, and the smallest lead of a chosen logit over the next best.
"""
import argparse, copy, json, pathlib, tempfile

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

PROMPTS = ["Problem: Tom has 3 apples.\nSolution:", "Once upon a time", "let x = 2;\nlet y = x + 3;\n", "12 + 7 ="]
PLAIN = {"until": ["QQ"], "max": 24}

# name: (generation_config.json, changes to config.json, changes to tokenizer_config.json, how it is asked)
CASES = {
    "plain": ({"eos_token_id": 1}, {}, {}, PLAIN),
    "list": ({"eos_token_id": [1, 201]}, {}, {}, PLAIN),
    "list in config.json": (None, {"eos_token_id": [201, 16]}, {}, PLAIN),
    "config.json is not looked at": ({"bos_token_id": 0}, {"eos_token_id": [201, 16]}, {}, PLAIN),
    "null": ({"eos_token_id": None}, {"eos_token_id": 201}, {}, PLAIN),
    "no EOS anywhere": (None, {"eos_token_id": None}, {}, PLAIN),
    "an end that is not special": ({"eos_token_id": [16]}, {}, {}, {"until": ["\n\n", "\nlet"], "max": 24}),
    "special stop": ({"eos_token_id": 1}, {}, {"extra_special_tokens": ["let", "."]}, {"until": ["let", "."], "max": 24}),
    "special EOS of the tokenizer": ({}, {}, {"eos_token": "."}, {"until": ["QQ"], "max": 24}),
    "special within a stop": ({"eos_token_id": 1}, {}, {"extra_special_tokens": [".", ";", "-"]},
                              {"until": ["4 How", "9\n", "8  2", "4.. H"], "max": 24}),
    "stops across ids": ({"eos_token_id": 1}, {}, {}, {"until": ["9\nl", "= 2", "many sh", "2 -", "ow the"], "max": 24}),
    "penalty": ({"eos_token_id": 1, "repetition_penalty": 1.3}, {}, {}, PLAIN),
    "penalty below one": ({"eos_token_id": 1, "repetition_penalty": 0.8}, {}, {}, PLAIN),
    "penalty in config.json": (None, {"repetition_penalty": 1.1}, {}, PLAIN),
    # "eidire" is two ids by itself, but four where it is written: it is found in the last 2 + 2.
    "as far back as lm-eval looks": ({"eos_token_id": 1, "repetition_penalty": 3.0}, {}, {},
                                     {"prompts": ["let x = 2;\n"], "until": ["eidire"], "max": 40}),
    "longer than asked": ({"eos_token_id": 1, "max_new_tokens": 30}, {}, {}, {"until": ["QQ"], "max": 8}),
    "shorter than asked": ({"eos_token_id": 1, "max_new_tokens": 7}, {}, {}, PLAIN),
    "sampling": ({"eos_token_id": 1, "do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.8,
                  "length_penalty": 2.0, "num_beams": 1, "min_length": 0, "suppress_tokens": []}, {}, {}, PLAIN),
}


def folder_of(model, folder, generation, config, tokenizer):
    files = {"generation_config.json": generation}
    for name, changes in ("config.json", config), ("tokenizer_config.json", tokenizer):
        files[name] = {**json.loads((model / name).read_text()), **changes}
        files[name].pop("model_max_length", None)  # more than 64 bits hold
    for name, value in files.items():
        if value is not None:
            (folder / name).write_text(json.dumps(value))
    for name in "model.safetensors", "tokenizer.json":
        (folder / name).symlink_to((model / name).resolve())
    return files


def ask(lm, row):
    """What lm-eval gets, and what generate() made of it."""
    seen, generate = {}, lm.model.generate

    def watch(**how):
        out = generate(**how, return_dict_in_generate=True, output_scores=True)
        seen["ids"] = out.sequences[0, how["input_ids"].shape[1]:].tolist()
        top = [score[0].topk(2).values for score in out.scores]
        seen["margin"] = min((t[0] - t[1]).item() for t in top)
        return out.sequences

    lm.model.generate = watch
    how = {"until": copy.copy(row["until"]), "max_gen_toks": row["max"]}
    (text,) = lm.generate_until([Instance("generate_until", {}, (row["context"], how), 0)], disable_tqdm=True)
    lm.model.generate = generate
    return {**row, "gen_ids": seen["ids"], "text": text, "min_margin": seen["margin"]}


def answers(model, case):
    generation, config, tokenizer, how = case
    row = {"until": how["until"], "max": how["max"]}
    with tempfile.TemporaryDirectory() as folder:
        files = folder_of(model, pathlib.Path(folder), generation, config, tokenizer)
        lm = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=1)
        return {"files": files, "rows": [ask(lm, {"context": prompt, **row}) for prompt in how.get("prompts", PROMPTS)]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("-o", default=pathlib.Path(__file__).with_name("cases.json"), type=pathlib.Path)
    options = parser.parse_args()
    cases = [{"name": name, **answers(options.model, case)} for name, case in CASES.items()]
    options.o.write_text(json.dumps(cases, indent=1) + "\n")
