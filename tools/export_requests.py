#!/usr/bin/env python3
"""Turn what lm-evaluation-harness logs into request files for Cull.

    lm_eval run --model dummy --tasks TASKS --log_samples --output_path LOGS
    tools/export_requests.py LOGS -o REQUESTS
    cull eval MODEL --tasks 'REQUESTS/*.jsonl'

LOGS needs the datasets but no model: the prompts are rendered, shots and description included. REQUESTS
receives one TASK.jsonl per task, a line per document, and metadata.json (the format:
plugins/common/lm_eval/task_file.h). Every prompt is checked against the hash that lm-eval noted.
"""
import argparse
import ast
import hashlib
import json
import pathlib
import sys


def lines(path):
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                sys.exit(f"{path}:{number}: not JSON: {error.msg}")


def arguments(sample):
    """The requests of a document, each as the list of its arguments."""
    calls = sample["arguments"]
    if isinstance(calls, dict):
        calls = [calls[f"gen_args_{i}"] for i in range(len(calls))]
    return [[c[f"arg_{i}"] for i in range(len(c))] if isinstance(c, dict) else list(c) for c in calls]


class NotKnown(ValueError):
    """The requests are clear; what is right, is not."""


def whole_number(text):
    return int(text) if isinstance(text, int) or (isinstance(text, str) and text.isdigit()) else None


def gold_of_contexts(sample, config):
    """Partial evaluation: the target is the continuation, the answer stands in the document."""
    doc, field = sample["doc"], config.get("doc_to_text")
    if config["task"].startswith("winogrande"):
        return int(doc["answer"]) - 1
    if isinstance(field, str) and whole_number(doc.get(field)) is not None:
        return int(doc[field])
    raise NotKnown("several contexts, and nothing says which is right")


def target_of(sample, config):
    """The target as lm-eval had it before it was logged as a text: a document's field as it is; of a template
    a list, where that is what it wrote."""
    text, field = sample["target"], config.get("doc_to_target")
    if isinstance(field, str) and field in sample["doc"] and str(sample["doc"][field]) == str(text):
        return sample["doc"][field]
    if isinstance(text, str) and len(text) > 1 and text[0] == "[" and text[-1] == "]":
        try:
            return ast.literal_eval(text)
        except (SyntaxError, ValueError):
            pass
    return text


def gold_of_choices(sample, choices, config):
    """The target is the number of a choice, several of them, or (COPA) the text of one."""
    target, field = target_of(sample, config), config.get("doc_to_target")
    if isinstance(target, list) and None not in map(whole_number, target):
        return [int(t) for t in target]
    number, text = whole_number(target), isinstance(field, str) and isinstance(sample["doc"].get(field), str)
    if isinstance(target, str) and target in choices and (number is None or text):
        return choices.index(target)
    if number is None:
        raise NotKnown(f"the target {target!r} is none of the choices")
    return number


SCORED = {"multiple_choice": {"acc", "acc_norm", "acc_bytes"}, "loglikelihood": {"acc", "perplexity"},
          "loglikelihood_rolling": {"word_perplexity", "byte_perplexity", "bits_per_byte"},
          "generate_until": {"exact_match"}}


def metrics_of(sample, config):
    """What lm-eval itself made of a document; by the task's list where an old log does not say."""
    listed = [m["metric"] for m in config.get("metric_list") or [] if isinstance(m.get("metric"), str)]
    return list(sample.get("metrics") or listed)


def others_score(sample, config):
    """Does a function of the task's score it, which nothing here can know, or nothing that Cull has?"""
    if config["output_type"] == "loglikelihood_rolling":
        return False
    metrics = metrics_of(sample, config)
    return bool(config.get("process_results")) or bool(metrics and not SCORED[config["output_type"]] & set(metrics))


def with_target(out, sample):
    """The target too, where lm-eval logs another text than the gold number (COPA, WinoGrande)."""
    gold = out["gold"]
    shown = str(gold[0] if isinstance(gold, list) and len(gold) == 1 else gold)
    return out if str(sample["target"]) == shown else {**out, "target": str(sample["target"])}


def unanswered(out, sample):
    return {**out, "gold": None, "target": str(sample["target"])}


def choice_document(sample, config):
    calls, delimiter = arguments(sample), config.get("target_delimiter", " ")
    if config.get("chat"):
        delimiter = ""  # the template ends the question
    out = {"requests": [{"ctx": ctx, "cont": cont} for ctx, cont in calls]}
    # With mutual information half of the calls are the choices without context: lm-eval tells them apart.
    if others_score(sample, config) or "acc_mutual_info" in metrics_of(sample, config):
        return unanswered(out, sample)
    choices = [cont[len(delimiter):] if cont.startswith(delimiter) else cont for _, cont in calls]
    by_context = len(calls) > 1 and len({cont for _, cont in calls}) == 1 and len({ctx for ctx, _ in calls}) > 1
    try:
        out["gold"] = gold_of_contexts(sample, config) if by_context else gold_of_choices(sample, choices, config)
    except NotKnown:
        return unanswered(out, sample)
    if by_context:
        return with_target(out, sample)
    return with_target({**out, "len_chars": [len(c) for c in choices], "len_bytes": [len(c.encode()) for c in choices]},
                       sample)


def loglikelihood_document(sample, config):
    calls = arguments(sample)
    out = {"requests": [{"ctx": ctx, "cont": cont} for ctx, cont in calls]}
    return unanswered(out, sample) if others_score(sample, config) or len(calls) > 1 else out


def rolling_document(sample, config):
    (text,), = arguments(sample)
    out = {"requests": [{"text": text}]}
    for key, metric in (("words", "word_perplexity"), ("bytes", "byte_perplexity")):
        if metric in sample:  # of the page before any detokeniser
            out[key] = int(sample[metric][1])
    return out


def choices_of(sample, config):
    """doc_to_choice: the list itself, or a field of the document that holds it."""
    choices = config["doc_to_choice"]
    if isinstance(choices, str):
        choices = sample["doc"].get(choices)
    if isinstance(choices, dict):
        choices = list(choices.values())
    if not isinstance(choices, list):
        raise NotKnown("doc_to_choice is neither a list nor a field: the right text is not known")
    return choices


def right_texts(sample, config):
    """{"target": what lm-eval logs, "targets": any of which is right}"""
    out, target = {"target": str(sample["target"])}, target_of(sample, config)
    if others_score(sample, config):
        return out
    if config.get("doc_to_choice") is not None:
        choices, number = choices_of(sample, config), whole_number(target)
        if number is None or number >= len(choices):
            raise NotKnown("doc_to_choice, and a target that is the number of none of them")
        return {**out, "targets": [str(choices[number])]}
    return {**out, "targets": [str(t) for t in target]} if isinstance(target, list) and target else out


def generate_document(sample, config):
    calls = arguments(sample)
    if len(calls) > 1:
        raise ValueError("several requests a document, of which one is an answer to be written")
    (ctx, how), = calls
    if how.get("do_sample", how.get("temperature", 0) > 0) and how.get("temperature", 1) > 0:
        raise ValueError("answers are drawn at random; Cull decodes greedily")
    until = how.get("until") or []
    request = {"ctx": ctx, "until": [until] if isinstance(until, str) else until, "gen_kwargs": how}
    for alias in ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"):
        if how.get(alias) is not None:
            request["max"] = int(how[alias])
            break
    try:
        return {"requests": [request], **right_texts(sample, config)}
    except NotKnown:
        return {"requests": [request], "target": None}


DOCUMENTS = {"multiple_choice": choice_document, "loglikelihood": loglikelihood_document,
             "loglikelihood_rolling": rolling_document, "generate_until": generate_document}


def filters(config, warn):
    """The filters that are one regular expression, or nothing, and then the first answer."""
    out = []
    for entry in config.get("filter_list") or [{"name": "none", "filter": [{"function": "take_first"}]}]:
        steps = [s for s in entry["filter"] if s["function"] != "take_first"]
        if len(steps) > 1 or any(s["function"] != "regex" for s in steps):
            warn(f"filter {entry['name']} is left out: {[s['function'] for s in steps]}")
            continue
        made = {"name": entry["name"]}
        if steps:
            made["pattern"] = steps[0].get("regex_pattern", r"#### (\-?[0-9\.\,]+)")
            made["select"] = steps[0].get("group_select", 0)
            made["fallback"] = steps[0].get("fallback", "[invalid]")
        out.append(made)
    return out


PUNCTUATION, DIGITS = r"[!-/:-@\[-`{-~]", "[0-9]"  # Python's string.punctuation and string.digits


def metadata_of(name, config, results, first, warn):
    """first: a sample of the task's, and what became of it."""
    sample, made = first
    out = {"version": str(results["versions"].get(name, "")), "n_shot": results["n-shot"].get(name) or 0,
           "metrics": metrics_of(sample, config)}
    unscored = others_score(sample, config) or None in (made.get("gold", 0), made.get("target", 0))
    if config["output_type"] == "generate_until":
        out["filters"] = filters(config, warn)
        unscored = unscored or not out["filters"]
        for m in config.get("metric_list") or []:
            if m.get("metric") == "exact_match":
                out["ignore"] = list(m.get("regexes_to_ignore") or []) + [PUNCTUATION] * bool(
                    m.get("ignore_punctuation")) + [DIGITS] * bool(m.get("ignore_numbers"))
                out["ignore_case"] = bool(m.get("ignore_case"))
    if unscored:
        out["metrics"] = ["none"]
        warn("lm-eval has its own way to score this task: give it Cull's answers (cull eval --cache)")
    return out


def group_of(members, group, results):
    """What lm-eval averages of a group's tasks, and whether every task counts alike; None: nothing.

    The weights are not logged. They are those that give the group's value of the log; where both do, they
    give one value for any answers only if the tasks are of one size, and then it does not matter."""
    if "results" not in results:
        return members
    of_group, tasks = results["results"].get(group, {}), results["results"]
    values = [k for k in of_group if "," in k and "_stderr," not in k]
    if not values:
        return None
    for by_task in (False, True):
        fits = True
        for key in values:
            have = [(tasks[t][key], 1 if by_task else tasks[t].get("sample_len", 1)) for t in members
                    if key in tasks.get(t, {})]
            mean = sum(value * n for value, n in have) / max(1, sum(n for _, n in have))
            fits = fits and abs(mean - of_group[key]) <= 1e-9 * max(1, abs(mean))
        if fits:
            return {"tasks": members, "values": values, "by_task": by_task}
    return None


def export_task(path, name, config, out):
    """One line per document; a task with several filters logs each document once per filter."""
    if config["output_type"] not in DOCUMENTS:
        raise ValueError(f"{path}: output type {config['output_type']} is unknown")
    seen = {}
    for number, sample in lines(path):
        if sample["doc_id"] in seen:
            continue
        try:
            made = DOCUMENTS[config["output_type"]](sample, config)
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path}:{number}: {error}") from error
        first = arguments(sample)[0][0]
        hashed = hashlib.sha256(first.encode()).hexdigest()
        if sample.get("prompt_hash", hashed) != hashed:
            raise ValueError(f"{path}:{number}: the prompt is not the one that prompt_hash was made of")
        seen[sample["doc_id"]] = {"task": name, "doc_id": sample["doc_id"], **made,
                                  "doc_hash": sample.get("doc_hash"), "prompt_hash": hashed}
        one = sample
    if not seen:
        raise ValueError(f"{path}: holds no documents")
    with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
        for doc_id in sorted(seen):
            file.write(json.dumps(seen[doc_id], ensure_ascii=False) + "\n")
    return len(seen), (one, seen[one["doc_id"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("logs", type=pathlib.Path, help="folder that lm-eval wrote, or one above it")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder for the request files")
    args = parser.parse_args()
    found = sorted(args.logs.rglob("results_*.json"), key=lambda p: p.name)
    if not found:
        sys.exit(f"{args.logs}: no results_*.json below it (was --output_path given?)")
    args.output.mkdir(parents=True, exist_ok=True)
    metadata = {"source": "lm-evaluation-harness", "tasks": {}, "groups": {}}
    for path in found:
        results = json.loads(path.read_text(encoding="utf-8"))
        if any("output_type" not in config for config in results["configs"].values()):
            sys.exit(f"{path}: not written by lm-eval itself; its --log_samples are what is read")
        stamp = path.stem.removeprefix("results_")
        metadata["lm_eval_version"] = results.get("lm_eval_version")
        subtasks = results.get("group_subtasks", {})
        leaves = lambda names: [t for n in names for t in (leaves(subtasks[n]) if subtasks.get(n) else [n])]
        for group, members in subtasks.items():
            # Groups of groups (mmlu) are spelled out to tasks.
            made = group_of(leaves(members), group, results) if members else None
            if made:
                metadata["groups"][group] = made
        for name, config in results["configs"].items():
            config = {**config, "chat": bool(results.get("chat_template"))}
            samples = path.with_name(f"samples_{name}_{stamp}.jsonl")
            if not samples.exists():
                sys.exit(f"{samples}: not there (was --log_samples given?)")
            warn = lambda text, name=name: print(f"{name}: {text}", file=sys.stderr)
            try:
                n, first = export_task(samples, name, config, args.output)
            except ValueError as error:
                warn(f"left out: {error} (leave it out of lm_eval's --tasks, too, when Cull's answers go back)")
                continue
            metadata["tasks"][name] = metadata_of(name, config, results, first, warn)
            print(f"{name}: {n} documents")
    text = json.dumps(metadata, ensure_ascii=False, indent=1)
    (args.output / "metadata.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
