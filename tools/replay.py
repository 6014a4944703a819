#!/usr/bin/env python3
"""Let lm-evaluation-harness score what Cull has computed: its response cache, and its sample files.

    tools/replay.py TRIAL.h5 REQUESTS -o P [--samples DIR]
    lm_eval run --model dummy --tasks TASKS --use_cache P

REQUESTS is the folder of tools/export_requests.py that the trial was evaluated on. P_rank0.db receives an
answer for every request, so that lm-eval, with a model that does nothing, makes its own filters, metrics
and tables of them. --samples writes samples_TASK_TIME.jsonl in lm-eval's form. Needs h5py.
"""
import argparse
import hashlib
import json
import pathlib
import pickle
import sqlite3
import sys
import time


def key(method, arguments):
    """lm_eval/api/model.py, hash_args."""
    return hashlib.sha256(json.dumps([method, *arguments]).encode()).hexdigest()


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def answers(group, line, row):
    """The calls of a document, (method, arguments), and what the trial says to each."""
    first = line["requests"][0]
    if "text" in first:
        yield "loglikelihood_rolling", [first["text"]], float(group["loglik"][row])
    elif "until" in first:
        how = first.get("gen_kwargs", {"until": first["until"]})
        yield "generate_until", [first["ctx"], how], text(group["text"][row])
    else:
        for i, request in enumerate(line["requests"]):
            pair = float(group["loglik"][row, i]), bool(group["greedy"][row, i])
            yield "loglikelihood", [request["ctx"], request["cont"]], pair


def sample(group, line, row, calls):
    out = {"doc_id": line["doc_id"], "doc": {}, "target": str(line.get("gold", line.get("target", ""))),
           "arguments": {f"gen_args_{i}": {f"arg_{j}": a for j, a in enumerate(args)}
                         for i, (_, args, _) in enumerate(calls)},
           "resps": [[[str(v) for v in a] if isinstance(a, tuple) else str(a)] for _, _, a in calls],
           "filter": "none", "doc_hash": line.get("doc_hash"), "prompt_hash": line.get("prompt_hash"),
           "metrics": [m for m in ("acc", "acc_norm", "acc_bytes") if m in group], "evaluator": "cull"}
    out["filtered_resps"] = [r[0] for r in out["resps"]]
    out.update({m: float(group[m][row]) for m in out["metrics"]})
    return out


def documents(evaluated, folder):
    """Group, line and row of every document that the trial has and the request files know."""
    files = sorted(p for p in folder.glob("*.jsonl"))
    known = set()
    for path in files:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        name = lines[0].get("task", path.stem)
        if name not in evaluated:
            print(f"{name}: not in the trial", file=sys.stderr)
            continue
        group = evaluated[name]
        n = len(group["loglik" if "loglik" in group else "text"])
        for row, line in enumerate(lines[:n]):
            if "prompt_hash" in group and text(group["prompt_hash"][row]) != line.get("prompt_hash"):
                sys.exit(f"{path}:{row + 1}: the trial was evaluated on another prompt")
            known.add(name)
            yield name, group, line, row
    if not known:
        sys.exit(f"{folder}: none of the trial's tasks ({', '.join(evaluated)})")


def main():
    import h5py

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("trial", type=pathlib.Path)
    parser.add_argument("requests", type=pathlib.Path)
    parser.add_argument("-o", "--output", required=True, help="P of lm-eval's --use_cache P")
    parser.add_argument("--samples", type=pathlib.Path, help="folder for samples_*.jsonl")
    args = parser.parse_args()
    stamp, logs, n = time.strftime("%Y-%m-%dT%H-%M-%S"), {}, 0
    database = sqlite3.connect(f"{args.output}_rank0.db")
    database.execute("CREATE TABLE IF NOT EXISTS unnamed (key TEXT PRIMARY KEY, value BLOB)")
    with h5py.File(args.trial) as trial, database:
        for name, group, line, row in documents(trial["eval"], args.requests):
            calls = list(answers(group, line, row))
            for method, arguments, answer in calls:
                value = sqlite3.Binary(pickle.dumps(answer))
                database.execute("REPLACE INTO unnamed VALUES (?, ?)", (key(method, arguments), value))
                n += 1
            if args.samples:
                logs.setdefault(name, []).append(sample(group, line, row, calls))
    database.close()
    print(f"{n} answers in {args.output}_rank0.db")
    for name, samples in logs.items():
        args.samples.mkdir(parents=True, exist_ok=True)
        with (args.samples / f"samples_{name}_{stamp}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(s, ensure_ascii=False) + "\n" for s in samples)


if __name__ == "__main__":
    main()
