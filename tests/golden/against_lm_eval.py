#!/usr/bin/env python3
"""Cull's native tasks against lm-evaluation-harness: random documents in the hub's schemas, with all the
oddities that real ones have, are put to both, and every prompt, log-likelihood, flag, metric and standard
error must agree.

usage: against_lm_eval.py CULL MODEL [SEED [DOCUMENTS [JOB]]]      exits 77 where lm_eval or h5py is not installed

JOB, part of a job's name (main), runs those jobs alone. Log-likelihoods agree to 1e-4 · max(1, |LL|), standard
errors to 1e-9.
"""
import hashlib
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_WAIT_POLICY="PASSIVE")
try:
    import datasets
    import h5py
    import torch
    import lm_eval
    import lm_eval.api.task
    from lm_eval.models.huggingface import HFLM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window, make_table
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

CULL, MODEL = sys.argv[1:3]
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
N = int(sys.argv[4]) if len(sys.argv) > 4 else 4
ONLY = sys.argv[5] if len(sys.argv) > 5 else ""
SUBJECTS = ["astronomy", "philosophy"]
DATASETS = {("allenai/ai2_arc", "ARC-Easy"): "arc_easy", ("allenai/ai2_arc", "ARC-Challenge"): "arc_challenge",
            ("aps/super_glue", "boolq"): "boolq", ("aps/super_glue", "copa"): "copa",
            ("Rowan/hellaswag", None): "hellaswag", ("allenai/openbookqa", "main"): "openbookqa",
            ("baber/piqa", None): "piqa", ("nyu-mll/glue", "rte"): "rte",
            ("allenai/winogrande", "winogrande_xl"): "winogrande", ("openai/gsm8k", "main"): "gsm8k",
            ("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1"): "wikitext"}

# ---- documents ----------------------------------------------------------------------------------

PLAIN = """the owl carried a bell to mill and Mona said that 12 + 5 = 17 because it began snow in evening
river Tahol stone apple quickly she They Because isn't well-known e.g. 3.5 1,200 $40 50% yes no True False""".split()
ODD = ["naïve", "Øyvik", "存在", "🔥", "e\u0301", "a\u00a0b", "x\u200by", "İstanbul", "Straße", "ﬁsh", "ǆ", "ŉa", "\u2028", "\x1f", "\t",
       "  ", "   ", "[title]", "[header] Bake", "[step]", "[", "]", "[a[b]c]", "[x] [title]  [y]", "<s>", "</s>", "_x", "{{x}}",
       "{% if %}", "\\n", '"q"', "'s", "\r\n", "\n", "\n\n", "Question:", "Answer:", "A.", "<|im_end|>", "&amp;", "0", "\u3000", "١٢"]


def text(rng, least=1, most=12, odd=0.15):
    words = [rng.choice(ODD if rng.random() < odd else PLAIN) for _ in range(rng.randint(least, most))]
    out = " ".join(words)
    return rng.choice(["", "", "", "", " ", "\n"]) * (rng.random() < 0.3) + out + rng.choice(["", ".", "?", " ", "  "])


def solid(rng, **how):
    while not (out := text(rng, **how)).strip():
        pass
    return out


def long(rng):
    return solid(rng, least=150, most=900, odd=0.03) if rng.random() < 0.08 else solid(rng)


def arc(rng):
    n = rng.choice([3, 4, 4, 4, 5])
    label = rng.choice([list("ABCDE"), list("12345")])[:n]
    return {"id": "x", "question": long(rng), "choices": {"text": [solid(rng, most=6) for _ in label], "label": label},
            "answerKey": rng.choice(label)}


def openbookqa(rng):
    doc = arc(rng)
    doc["choices"] = {"text": [solid(rng, most=4) for _ in "ABCD"], "label": list("ABCD")}
    doc["question_stem"] = doc.pop("question") + rng.choice(["", " ", "  "])
    doc["answerKey"] = rng.choice(["", " "]) + rng.choice("ABCD")
    return doc


def boolq(rng):
    return {"question": text(rng), "passage": long(rng), "idx": 0, "label": rng.randrange(2)}


def copa(rng):
    return {"premise": solid(rng), "choice1": solid(rng), "choice2": rng.choice("ÉßǆİaBŉ1") + text(rng),
            "question": rng.choice(["cause", "effect"]), "idx": 0, "label": rng.randrange(2)}


def hellaswag(rng):
    return {"ind": 0, "activity_label": solid(rng, most=3), "ctx_a": long(rng), "ctx_b": rng.choice(["", text(rng), solid(rng).upper()]),
            "ctx": "unused", "endings": [solid(rng, odd=0.3) + rng.choice(["", " [x]", "  "]) + "." for _ in range(4)],
            "label": str(rng.randrange(4))}


def mmlu(rng):
    return {"question": long(rng), "subject": "x", "choices": [text(rng, most=5) for _ in range(4)], "answer": rng.randrange(4)}


def piqa(rng):
    return {"goal": long(rng), "sol1": solid(rng), "sol2": solid(rng), "label": rng.randrange(2)}


def rte(rng):
    return {"sentence1": long(rng), "sentence2": text(rng), "label": rng.randrange(2), "idx": 0}


def winogrande(rng):
    words = solid(rng).replace("_", "").split(" ")
    gap = rng.randrange(len(words))
    after = solid(rng, most=5).replace("_", "")
    return {"sentence": " ".join(words[:gap]) + " _" + rng.choice([" ", "'s ", ", "]) + after, "option1": solid(rng, most=2),
            "option2": solid(rng, most=2), "answer": rng.choice("12")}


def gsm8k(rng):
    number = rng.choice(["5", "-7", "1,234", "$12.50", "0.5", "18."])
    return {"question": solid(rng), "answer": solid(rng) + "\n#### " + number}


def wikitext(rng):
    marks = [" @-@ ", " @,@ ", " @.@ ", " . ", " , ", " : ", " ; ", " ! ", " ? ", " ( a ) ", " [ b ] ", " { c } ", ' " d " ', " ' e ' ", "s ' ",
             " 's ", " = = ", " = = = ", " = = = = ", " ° ", " \n ", "\n", " N ", " / x / ", " ( a ", ' " ', " ' ", " 1 N 2 "]
    pieces = [rng.choice(marks) if rng.random() < 0.5 else rng.choice(PLAIN + ODD) for _ in range(rng.choice([20, 60, 700]))]
    return {"page": " " + " ".join(pieces)}


MAKE = {"arc_easy": arc, "arc_challenge": arc, "boolq": boolq, "copa": copa, "hellaswag": hellaswag, "openbookqa": openbookqa,
        "piqa": piqa, "rte": rte, "winogrande": winogrande, "gsm8k": gsm8k, "wikitext": wikitext,
        **{f"mmlu_{s}": mmlu for s in SUBJECTS}}


def write_documents(folder, rng):
    for name, make in MAKE.items():
        pool = [make(rng) for _ in range(5 if name.startswith("mmlu") else rng.choice([9, 15, 40]))]
        docs = [make(rng) for _ in range(N)]
        for i in range(0, N, 4):  # documents that are in their own pool, once or twice
            pool[rng.randrange(len(pool))] = docs[i]
        for path, rows in ((f"{name}.jsonl", docs), (f"{name}.train.jsonl", pool)):
            (folder / path).write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")


def redirect(folder):
    def load(path=None, name=None, data_files=None, **_):
        rows = lambda file: datasets.Dataset.from_list([json.loads(l) for l in (folder / file).open(encoding="utf-8", newline="\n")])
        if path == "json":
            return datasets.DatasetDict(test=rows(data_files["test"]))
        stem = "mmlu_" + name if path == "cais/mmlu" else DATASETS[path, name]
        main, pool = rows(f"{stem}.jsonl"), rows(f"{stem}.train.jsonl")
        return datasets.DatasetDict(train=pool, validation=main, test=main, dev=pool)

    lm_eval.api.task.datasets.load_dataset = load


# ---- both ---------------------------------------------------------------------------------------

def theirs(lm, tasks, shots, seed):
    return lm_eval.simple_evaluate(model=lm, tasks=tasks, num_fewshot=shots, log_samples=True, bootstrap_iters=10,
                                   fewshot_random_seed=seed, task_manager=TASK_MANAGER)


def ours(folder, data, tasks, shots, settings):
    command = [CULL, "eval", MODEL, "-q", "--precision", "f32", "--tasks", ",".join(tasks), "--data", data, "-o", folder,
               "--lm-eval", folder / "results.json", *settings]
    if shots is not None:
        command += ["--shots", str(shots)]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    (trial,) = (folder / "trials").glob("*.h5")
    return h5py.File(trial), json.loads((folder / "results.json").read_text())


class Check:
    def __init__(self):
        self.bad, self.n, self.ties, self.worst = 0, 0, 0, 0.0
        self.lm, self.tied = None, set()  # tied: rolling tasks one of whose texts meets a router's tie

    def wrong(self, *what):
        self.bad += 1
        if self.bad <= 40:
            print("WRONG", *what, flush=True)

    def close(self, a, b, tolerance, *what):
        self.n += 1
        if math.isnan(a) and math.isnan(b):
            return True
        off = abs(a - b) / max(1, abs(b))
        if not off <= tolerance:
            self.wrong(*what, a, "not", b)
        return off <= tolerance

    def near_tie(self, pair):
        """Does some row's router choose by less than rounding? Then another order of summation may rightly
        choose another expert."""
        if len(pair) == 1:
            windows = map(make_disjoint_window, get_rolling_token_windows(
                token_list=self.lm.tok_encode(pair[0]), prefix_token=self.lm.prefix_token_id, max_seq_len=self.lm.max_length,
                context_len=1))
        else:
            windows = [self.lm._encode_pair(*pair)]
        k, gaps = self.lm.config.num_experts_per_tok, []
        for context, continuation in windows:
            ids = torch.tensor([(context + continuation)[-(self.lm.max_length + 1):-1]])
            with torch.no_grad():
                routers = self.lm.model(ids, output_router_logits=True).router_logits
            top = [r.softmax(-1).topk(k + 1, -1).values for r in routers]
            gaps += [(t[:, k - 1] - t[:, k]).min().item() for t in top]
        return min(gaps) < (2e-6 if len(pair) == 2 else 5e-8)  # a text of thousands of rows has many near ones

    def document(self, name, s, group, row):
        first = next(iter(s["arguments"][0].values())) if isinstance(s["arguments"][0], dict) else s["arguments"][0][0]
        h = hashlib.sha256(first.encode()).hexdigest()
        if group["prompt_hash"][row].decode() != h:
            return self.wrong(name, s["doc_id"], "prompt", repr(first[-300:]))
        if group["doc_hash"][row].decode() != s["doc_hash"]:
            self.wrong(name, s["doc_id"], "doc_hash", repr(s["doc"])[:200])
        if "exact_match" in group:
            if group["text"][row].decode() != s["resps"][0][0]:
                return self.wrong(name, s["doc_id"], "text", repr(group["text"][row].decode()), repr(s["resps"][0][0]))
            f = group.attrs["filters"].split(",").index(s["filter"])
            if group["extracted"][row, f].decode() != s["filtered_resps"][0]:
                self.wrong(name, s["doc_id"], "filter", s["filter"], group["extracted"][row, f], s["filtered_resps"])
            return self.close(group["exact_match"][row, f], float(s["exact_match"]), 0, name, s["doc_id"], "exact_match")
        if "words" in group:
            if abs(group["loglik"][row] / s["word_perplexity"][0] - 1) > 1e-4 and self.near_tie((first,)):
                self.ties += 1
                self.tied.add(name)
                return None
            return self.close(group["loglik"][row], s["word_perplexity"][0], 1e-4, name, s["doc_id"], "ll")
        resps = [r[0] if isinstance(r[0], (tuple, list)) else r for r in s["resps"]]
        for c, (ll, greedy) in enumerate(resps):
            ll, greedy = float(ll), str(greedy) == "True"
            pair = s["arguments"][c]
            pair = tuple(pair.values()) if isinstance(pair, dict) else pair
            if abs(group["loglik"][row, c] - ll) > 1e-4 * max(1, abs(ll)) and self.near_tie(pair):
                self.ties += 1
                continue
            if not self.close(group["loglik"][row, c], ll, 1e-4, name, s["doc_id"], c, "ll"):
                continue
            self.worst = max(self.worst, abs(group["loglik"][row, c] - ll) / max(1, abs(ll)))
            if bool(group["greedy"][row, c]) != greedy:
                self.wrong(name, s["doc_id"], c, "greedy")
        likeliest = sorted(ll for ll in group["loglik"][row] if math.isfinite(ll))[-2:] if "acc" in group else [0]
        for m in ("acc", "acc_norm"):
            if m in s and m in group and likeliest[-1] - likeliest[0] > 1e-3:
                self.close(group[m][row], float(s[m]), 0, name, s["doc_id"], m, repr(s["arguments"]))

    def table(self, got, want):
        """lm-eval's own table code reads our results JSON, and makes the rows that it makes of its own."""
        cell = lambda line: [c.strip() for c in line.split("|")]
        rows = lambda text: sorted((c[3], c[5]) for c in map(cell, text.splitlines()[2:]))
        if rows(make_table(want)) != rows(make_table(got)):
            self.wrong("another table:", make_table(got))

    def job(self, what, want, trial, got):
        before = self.bad
        self.tied.clear()
        for name, samples in want["samples"].items():
            group = trial["eval"][name]
            for s in samples:
                self.document(name, s, group, s["doc_id"])
        if self.bad > before:
            return
        for part in ("results", "groups"):
            for name, values in want.get(part, {}).items():
                for key, value in values.items():
                    if "," not in key or not isinstance(value, (int, float)):
                        if "acc_stderr" in key and got[part][name][key] != value:  # N/A
                            self.wrong(what, part, name, key, got[part][name][key], "not", value)
                        continue
                    if name not in got[part] or key not in got[part][name]:
                        self.wrong(what, part, name, key, "missing")
                        continue
                    x = got[part][name][key]
                    perplexity = "perplexity" in key or "bits" in key
                    if perplexity and name in self.tied:
                        continue
                    self.close(math.log(x) if perplexity else x, math.log(value) if perplexity else value, 1e-4 if perplexity else 1e-9,
                               what, name, key)


def sample_files(check, folder, stamp, want):
    """Our sample files hold what lm-eval's do, but for the numbers' last digits."""
    for task, samples in want["samples"].items():
        ours = {(s["doc_id"], s["filter"]): s for s in map(json.loads, (folder / f"samples_{task}_{stamp}.jsonl").open(encoding="utf-8"))}
        for s in samples:
            calls = {f"gen_args_{i}": {f"arg_{j}": a for j, a in enumerate(args)} for i, args in enumerate(s["arguments"])}
            got = ours.pop((s["doc_id"], s["filter"]), {})
            same = {"doc": s["doc"], "arguments": calls, "doc_hash": s["doc_hash"], "prompt_hash": s["prompt_hash"],
                    "target": str(s["target"]), "target_hash": s["target_hash"]}
            for key, value in same.items():
                check.n += 1
                if got.get(key) != value:
                    check.wrong("sample", task, s["doc_id"], key, repr(got.get(key)), "not", repr(value))
            for m in s["metrics"]:
                if m in got and isinstance(s[m], (int, float)):
                    check.close(got[m], s[m], 0, "sample", task, s["doc_id"], m)
                elif m in got:
                    check.close(got[m][1], s[m][1], 0, "sample", task, s["doc_id"], m)
                else:
                    check.wrong("sample", task, s["doc_id"], m, "missing")
        if ours:
            check.wrong("samples too many", task, list(ours))


def replay(check, tmp, lm, tasks, data):
    """lm-eval, with a model that does nothing, scores Cull's answers out of its own response cache: those to the
    prompts that lm-eval logged, and those to the prompts that Cull rendered itself."""
    dummy = dict(model="dummy", tasks=tasks, log_samples=True, bootstrap_iters=10, task_manager=TASK_MANAGER)
    logged, tools = lm_eval.simple_evaluate(**dummy), pathlib.Path(__file__).resolve().parents[2] / "tools"
    tracker = EvaluationTracker(output_path=str(tmp / "logs"))
    samples = logged.pop("samples")
    tracker.save_results_aggregated(results=logged, samples=samples)
    for task in samples:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    run = lambda *command: subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    run(sys.executable, tools / "export_requests.py", tmp / "logs", "-o", tmp / "requests")
    run(CULL, "eval", MODEL, "-q", "--precision", "f32", "--tasks", f"{tmp}/requests/*.jsonl", "-o", tmp / "replayed",
        "--cache", tmp / "cache-logged")
    run(CULL, "eval", MODEL, "-q", "--precision", "f32", "--tasks", ",".join(tasks), "--data", data, "-o", tmp / "native")
    (trial,) = (tmp / "native/trials").glob("*.h5")
    run(CULL, "replay", trial, "-q", "--lm-eval", tmp / "results_native.json", "--log-samples", "--cache", tmp / "cache-native")
    want = lm_eval.simple_evaluate(**{**dummy, "model": lm})
    for cache in ("cache-logged", "cache-native"):
        got = lm_eval.simple_evaluate(**dummy, use_cache=str(tmp / cache))
        for name, values in want["results"].items():
            for key, value in values.items():
                if isinstance(value, float) and "," in key:
                    logs = (lambda x: math.log(x)) if "perplexity" in key else (lambda x: x)
                    check.close(logs(got["results"][name][key]), logs(value), 1e-4, "replay", cache, name, key)
    sample_files(check, tmp, "native", want)


# ---- tasks of kinds that the published ones are not of ----

TASKS = {
    "x_aliases": {"output_type": "generate_until", "doc_to_text": "{{q}} Answer:", "doc_to_target": "{{aliases}}",
                  "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
                  "metric_list": [{"metric": "exact_match", "ignore_case": True}]},
    "x_fields": {"output_type": "generate_until", "doc_to_text": "{{q}} It is", "doc_to_target": "aliases",
                 "generation_kwargs": {"until": [], "max_gen_toks": 5, "do_sample": False}, "metric_list": [{"metric": "exact_match"}]},
    "x_named": {"output_type": "generate_until", "doc_to_text": "{{q}} Answer:", "doc_to_target": "label", "doc_to_choice": "words",
                "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}, "metric_list": [{"metric": "exact_match"}]},
    "x_bracket": {"output_type": "generate_until", "doc_to_text": "{{q}} Answer:", "doc_to_target": "text",
                  "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}, "metric_list": [{"metric": "exact_match"}]},
    "x_two": {"output_type": "generate_until", "doc_to_text": "{{q}} Answer:", "doc_to_target": "word",
              "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False}, "metric_list": [{"metric": "exact_match"}],
              "filter_list": [{"name": n, "filter": [{"function": "regex", "regex_pattern": p, "group_select": g}, {"function": "take_first"}]}
                              for n, p, g in (("strict", "^ ?(\\w+)", 0), ("last", "(\\w+)", -1))]},
    "x_three": {},
    "x_dots": {"output_type": "generate_until", "doc_to_text": "{{q}} Answer:", "doc_to_target": "{{text}}.1!",
               "generation_kwargs": {"until": ["\n"], "max_gen_toks": 6, "do_sample": False},
               "metric_list": [{"metric": "exact_match", "ignore_punctuation": True, "ignore_numbers": True, "regexes_to_ignore": [" "]}]},
    "x_hits": {"output_type": "loglikelihood", "doc_to_text": "{{q}}", "doc_to_target": " {{word}}", "metric_list": [{"metric": "acc"}]},
    "x_mutual": {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "label", "doc_to_choice": "words",
                 "metric_list": [{"metric": "acc"}, {"metric": "acc_mutual_info"}]},
    "x_default": {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "label", "doc_to_choice": "words"},
    "x_weights": {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "label", "doc_to_choice": "words",
                  "metric_list": [{"metric": "acc"}], "process_results": "!function score.weigh"},
    "x_several": {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "golds", "doc_to_choice": "words",
                  "metric_list": [{"metric": "acc"}]},
    "x_listed": {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "mark", "doc_to_choice": "marks",
                 "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]},
    "x_last": {"output_type": "loglikelihood", "doc_to_text": "{{q}}", "doc_to_target": " {{word}}",
               "metric_list": [{"metric": "perplexity", "aggregation": "perplexity"}, {"metric": "acc"}]},
    "x_some": {"output_type": "multiple_choice", "doc_to_text": "{{q}}", "doc_to_target": "label", "doc_to_choice": "words",
               "metric_list": [{"metric": "acc"}]},
}
TASKS["x_three"] = TASKS["x_two"]
GROUPS = {"g_tasks": (["x_some", "x_several"], [{"metric": "acc", "weight_by_size": False}]),
          "g_documents": (["x_listed", "x_last"], [{"metric": "acc", "weight_by_size": True}]),
          "g_filters": (["x_two", "x_three"], [{"metric": "exact_match"}]),
          "g_nothing": (["x_aliases", "x_fields"], None)}
SCORE = """
import math
def weigh(doc, results):
    p = [math.exp(ll) for ll, _ in results]
    return {"acc": sum(x for x, y in zip(p, doc["words"]) if len(y) > 3) / sum(p)}
"""


def write_tasks(folder, rng, answers):
    """The tasks' yaml and documents; answers: what a model wrote before, so that some of it is right."""
    (folder / "score.py").write_text(SCORE)
    for number, (name, how) in enumerate(TASKS.items()):
        docs = []
        for i in range(3 + number):
            words = rng.sample(["owl", "bell", "snow", "Mona", "evening", "zwölf"], 3)
            known = answers.get((name, i), "nothing") if i % 2 else "nothing"
            doc = {"q": f"{solid(rng, odd=0.05)} {i}", "words": words, "label": rng.randrange(3), "golds": rng.sample(range(3), rng.randint(1, 2)),
                   "marks": ["[1]", "[2]", "[3]"], "mark": f"[{rng.randint(1, 3)}]", "aliases": [rng.choice(words), known],
                   "word": (known.split() or ["x"])[-1], "text": known if i % 2 else "[1]"}
            if name == "x_named":
                doc["words"][doc["label"]] = known
            docs.append(doc)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in docs), encoding="utf-8")
        body = {"task": name, "dataset_path": "json", "test_split": "test", **how, "metadata": {"version": 2},
                "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}}}
        text = json.dumps(body, indent=1).replace('"!function score.weigh"', "!function score.weigh")
        (folder / f"{name}.yaml").write_text(text)
    for name, (members, averages) in GROUPS.items():
        (folder / f"{name}.yaml").write_text(json.dumps({"group": name, "task": members} | (
            {"aggregate_metric_list": averages} if averages else {})))


def exported(check, tmp, lm, rng):
    """What lm-eval logs of them becomes request files; Cull's own numbers are lm-eval's where it gives any, and
    lm-eval makes the others of Cull's answers."""
    names, seed = list(GROUPS) + ["x_named", "x_bracket", "x_weights", "x_dots", "x_hits", "x_mutual", "x_default"], rng.random()
    answers = {}
    for number in range(2):
        folder = tmp / f"tasks-{number}"
        folder.mkdir()
        write_tasks(folder, random.Random(seed), answers)
        common = dict(tasks=names, log_samples=True, bootstrap_iters=10, task_manager=TaskManager(include_path=str(folder)))
        want = lm_eval.simple_evaluate(model=lm, **common)
        answers = {(t, s["doc_id"]): s["resps"][0][0] for t in want["samples"] for s in want["samples"][t] if isinstance(s["resps"][0][0], str)}
    logged, tracker = lm_eval.simple_evaluate(model="dummy", **common), EvaluationTracker(output_path=str(tmp / "x-logs"))
    samples = logged.pop("samples")
    tracker.save_results_aggregated(results=logged, samples=samples)
    for task in samples:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    run = lambda *command: subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    run(sys.executable, pathlib.Path(__file__).resolve().parents[2] / "tools/export_requests.py", tmp / "x-logs", "-o", tmp / "x-requests")
    run(CULL, "eval", MODEL, "-q", "--precision", "f32", "--tasks", f"{tmp}/x-requests/*.jsonl", "-o", tmp / "x-replayed",
        "--cache", tmp / "x-cache", "--lm-eval", tmp / "results_x.json", "--log-samples")
    own = json.loads((tmp / "results_x.json").read_text())["results"]
    scored = lm_eval.simple_evaluate(model="dummy", **common, use_cache=str(tmp / "x-cache"))["results"]
    logs = lambda key, x: math.log(x) if "perplexity" in key else x
    for name, values in want["results"].items():
        for key in (k for k, v in values.items() if isinstance(v, float) and "," in k):
            check.close(logs(key, scored[name][key]), logs(key, values[key]), 1e-4, "scored by lm-eval", name, key)
            if "_stderr" in key and "perplexity" in key:
                continue  # lm-eval's is a bootstrap
            if name in ("x_weights", "x_mutual"):
                if key in own[name]:
                    check.wrong("exported", name, key, "is given though lm-eval alone can score it")
            elif key not in own.get(name, {}):
                check.wrong("exported", name, key, "missing")
            else:
                check.close(logs(key, own[name][key]), logs(key, values[key]), 1e-4 if "perplexity" in key else 1e-9, "exported", name, key)
    for name in own:
        for key in (k for k in own[name] if "," in k and k not in want["results"].get(name, {})):
            if not key.startswith("loglikelihood") and "_stderr" not in key:
                check.wrong("exported", name, key, "is not lm-eval's")
    right = [want["results"][t][k] for t, k in (("x_aliases", "exact_match,none"), ("x_named", "exact_match,none"), ("x_two", "exact_match,last"), ("x_dots", "exact_match,none"))]
    if not all(0 < r < 1 for r in right):
        check.wrong("exported", "the answers tell nothing apart", right)


def main():
    check = Check()
    torch.set_num_threads(2)
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        data = tmp / "data"
        data.mkdir()
        write_documents(data, rng)
        redirect(data)
        hf = lambda **how: HFLM(pretrained=MODEL, dtype="float32", device="cpu", batch_size=1, **how)
        eos = hf().tokenizer.eos_token_id
        choice = [t for t in MAKE if t not in ("gsm8k", "wikitext")]
        jobs = [("0 shots", {}, choice + ["wikitext"], 0, 1234, []),
                ("1 shot", {}, choice, 1, 1234, []),
                ("5 shots", {}, choice, 5, 7, ["--shot-seed", 7]),
                ("length 96", {"max_length": 96}, choice + ["wikitext"], 0, 1234, ["--length", 96]),
                ("0.4.7", {"add_bos_token": False}, choice, 2, 99, ["--protocol", "lm-eval-0.4.7", "--shot-seed", 99]),
                ("0.4.0", {"add_bos_token": False, "prefix_token_id": eos}, choice + ["wikitext"], 0, 1234, ["--protocol", "lm-eval-0.4.0"]),
                ("gsm8k", {}, ["gsm8k"], None, 1234, [])]
        for what, how, tasks, shots, seed, settings in jobs:
            if ONLY not in what:
                continue
            check.lm = hf(**how)
            want = theirs(check.lm, tasks, shots, seed)
            trial, got = ours(tmp / what.replace(" ", "-"), data, tasks, shots, settings)
            check.job(what, want, trial, got)
            check.table(got, want)
            trial.close()
            print(f"{what}: {check.n} comparisons, {check.bad} wrong, worst ll {check.worst:.1e}, "
                  f"{check.ties} requests at a router's tie", flush=True)
        if ONLY in "replay":
            replay(check, tmp, hf(), choice + ["wikitext", "gsm8k"], data)
            print(f"replay: {check.n} comparisons, {check.bad} wrong", flush=True)
        if ONLY in "exported":
            exported(check, tmp, hf(), rng)
            print(f"exported: {check.n} comparisons, {check.bad} wrong", flush=True)
    sys.exit(check.bad > 0 or check.ties > 3)


TASK_MANAGER = TaskManager()
main()
