#!/usr/bin/env python3
"""tools/ and cull replay: request files from what lm-eval logged, evaluated, and given back.

usage: test_tools.py SOURCE_DIR CULL

logs/ is what lm-evaluation-harness 0.4.13 wrote with --model dummy --log_samples for the documents of
tests/golden/evaluation/docs, whose prompts and scores stand in tests/golden/evaluation/mixtral.
"""
import csv
import hashlib
import json
import math
import os
import pathlib
import pickle
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import unittest

SOURCE, CULL = pathlib.Path(sys.argv[1]), sys.argv[2]
LOGS, GOLDEN = SOURCE / "tests/tools/logs", SOURCE / "tests/golden/evaluation/mixtral"
TASKS = {"0shot": ["arc_easy", "copa", "edge"], "3shot": ["mmlu_astronomy", "mmlu_philosophy", "winogrande"]}


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def tool(name, *args):
    return subprocess.run([sys.executable, SOURCE / "tools" / name, *args], capture_output=True, text=True)


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def export(self, job):
        out = self.folder / job
        done = tool("export_requests.py", LOGS / job, "-o", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out, json.loads((out / "metadata.json").read_text(encoding="utf-8"))

    def evaluate(self, requests):
        table = self.folder / "table.json"
        done = subprocess.run([CULL, "eval", SOURCE / "models/tinyworld-mixtral", "--tasks", f"{requests}/*.jsonl",
                               "-o", self.folder / "results", "--lm-eval", table, "--quiet"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(table.read_text(encoding="utf-8"))

    def check(self, ours, theirs):
        for key, value in theirs.items():
            if "," in key and isinstance(value, float):
                self.assertTrue(math.isclose(ours[key], value, rel_tol=1e-4, abs_tol=1e-9), key)

    def test_choices(self):
        for job, tasks in TASKS.items():
            out, metadata = self.export(job)
            for task in tasks:
                golden = rows(GOLDEN / job / f"{task}.jsonl")
                ours = rows(out / f"{task}.jsonl")
                self.assertEqual(len(ours), len(golden))
                for a, b in zip(ours, golden):
                    self.assertEqual([(r["ctx"], r["cont"]) for r in a["requests"]],
                                     [(r["ctx"], r["cont"]) for r in b["requests"]])
                    for key in ("gold", "len_chars", "prompt_hash", "doc_hash"):
                        self.assertEqual(a.get(key), b.get(key), f"{task} {key}")
            results = json.loads((GOLDEN / job / "results.json").read_text(encoding="utf-8"))
            table = self.evaluate(out)["results"]
            for task in tasks:
                self.check(table[task], results["results"][task])
        self.assertEqual(metadata["groups"], {"mmlu_two": ["mmlu_astronomy", "mmlu_philosophy"]})
        self.check(table["mmlu_two"], results["groups"]["mmlu_two"])

    def test_generation(self):
        data = os.environ.get("CULL_TEST_DATA")  # golden answers to GSM8K are test-only: beside that folder
        folder = pathlib.Path(data or "") / "../golden/evaluation/mixtral/gsm8k"
        if not data or not folder.is_dir():
            self.skipTest("no golden answers to GSM8K")
        out, metadata = self.export("gen")
        golden = rows(folder / "gsm8k.jsonl")
        for a, b in zip(rows(out / "gsm8k.jsonl"), golden, strict=True):  # two filters, one line
            self.assertEqual(a["requests"][0]["ctx"], b["ctx"])
            self.assertEqual(a["requests"][0]["until"], b["gen_kwargs"]["until"])
            self.assertEqual(a["target"], b["gold"])
        self.assertEqual([f["name"] for f in metadata["tasks"]["gsm8k"]["filters"]],
                         ["strict-match", "flexible-extract"])
        self.check_job(out, folder)

    def test_rolling(self):
        out, _ = self.export("gen")
        for a, b in zip(rows(out / "wikitext.jsonl"), rows(GOLDEN / "wikitext/wikitext.jsonl"), strict=True):
            self.assertEqual((a["requests"][0]["text"], a["words"], a["bytes"]), (b["text"], b["words"], b["bytes"]))
        self.check_job(out, GOLDEN / "wikitext")

    def check_job(self, requests, golden):
        results = json.loads((golden / "results.json").read_text(encoding="utf-8"))
        self.check(self.evaluate(requests)["results"][golden.name], results["results"][golden.name])

    def test_tampered(self):
        logs = self.folder / "logs"
        shutil.copytree(LOGS / "0shot", logs)
        path = next(logs.glob("samples_copa_*.jsonl"))
        path.write_text(path.read_text(encoding="utf-8").replace("The kettle", "A kettle"), encoding="utf-8")
        done = tool("export_requests.py", logs, "-o", self.folder / "out")
        self.assertIn("the prompt is not the one that prompt_hash was made of", done.stderr)
        self.assertFalse((self.folder / "out/copa.jsonl").exists())

    def replay(self, job):
        """The sample files and the cache of what Cull answers to the requests of a job, which lm-eval logged."""
        out, _ = self.export(job)
        self.evaluate(out)
        trial, = (self.folder / "results/trials").glob("*.h5")
        done = subprocess.run([CULL, "replay", trial, "--lm-eval", self.folder / "results_1.json", "--log-samples",
                               "--cache", self.folder / "cache", "--quiet"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def check_samples(self, job):
        for task in TASKS[job]:
            ours = rows(self.folder / f"samples_{task}_1.jsonl")
            theirs = rows(next((LOGS / job).glob(f"samples_{task}_*.jsonl")))
            for a, b in zip(ours, theirs, strict=True):
                for key in ("arguments", "target", "doc_hash", "prompt_hash", "target_hash", "filter"):
                    self.assertEqual(a[key], b[key], f"{task} {key}")
                self.assertEqual([len(r[0]) for r in a["resps"]], [len(r[0]) for r in b["resps"]])
                self.assertLessEqual(set(b["metrics"]), set(a["metrics"]))

    def test_replay(self):
        self.replay("0shot")
        database = sqlite3.connect(self.folder / "cache_rank0.db")
        cache = dict(database.execute("SELECT key, value FROM unnamed"))
        database.close()
        for b in rows(GOLDEN / "0shot/arc_easy.jsonl"):
            for r in b["requests"]:
                call = json.dumps(["loglikelihood", r["ctx"], r["cont"]])
                ll, greedy = pickle.loads(cache[hashlib.sha256(call.encode()).hexdigest()])
                self.assertLessEqual(abs(ll - r["ll"]), 1e-4 * max(1, abs(r["ll"])))
                self.assertEqual(greedy, r["greedy"])
        self.check_samples("0shot")

    def test_targets_of_contexts(self):
        self.replay("3shot")
        self.check_samples("3shot")

    def test_groups_side_by_side(self):
        """Two checkpoints: a group's documents are paired as its tasks' are."""
        requests, _ = self.export("3shot")
        acc = {}
        for model in ("mixtral", "olmoe"):
            done = subprocess.run([CULL, "eval", SOURCE / f"models/tinyworld-{model}", "--tasks", f"{requests}/*.jsonl",
                                   "-o", self.folder / model, "--lm-eval", self.folder / f"results_{model}.json",
                                   "--log-samples", "--quiet"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            acc[model] = {task: [r["acc"] for r in rows(self.folder / f"samples_{task}_{model}.jsonl")]
                          for task in TASKS["3shot"]}
        done = subprocess.run([CULL, "compare", self.folder / "mixtral", self.folder / "olmoe", "--format", "csv"],
                              capture_output=True, text=True)
        table = {r["task"]: r for r in csv.DictReader(done.stdout.splitlines()) if r["method"] == "tinyworld-olmoe"}
        for group, tasks in (("mmlu_two", TASKS["3shot"][:2]), ("pooled", TASKS["3shot"])):
            pairs = [p for t in tasks for p in zip(acc["mixtral"][t], acc["olmoe"][t], strict=True)]
            lost, won = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
            tail = sum(math.comb(lost + won, i) for i in range(min(lost, won) + 1)) / 2 ** (lost + won)
            row = table[group]
            self.assertEqual(row["test"], "McNemar")
            self.assertAlmostEqual(float(row["to_dense"]), (won - lost) / len(pairs), places=12)
            self.assertAlmostEqual(float(row["p"]), min(1, 2 * tail), places=12)
            differences = [b - a for a, b in pairs]
            half = (float(row["to_dense_high"]) - float(row["to_dense_low"])) / 2
            error = statistics.stdev(differences) / math.sqrt(len(pairs))
            self.assertTrue(1.96 * error < half < 2.4 * error, (half, error))  # Student's t of 10 or more
        means = [statistics.mean(acc["olmoe"][t]) - statistics.mean(acc["mixtral"][t]) for t in TASKS["3shot"]]
        self.assertEqual(table["macro"]["test"], "paired t")
        self.assertAlmostEqual(float(table["macro"]["to_dense"]), statistics.mean(means), places=12)

    def test_changed_requests(self):
        out, _ = self.export("0shot")
        self.evaluate(out)
        trial, = (self.folder / "results/trials").glob("*.h5")
        path = out / "copa.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(reversed(lines)), encoding="utf-8")
        done = subprocess.run([CULL, "replay", trial, "--cache", self.folder / "cache", "--quiet"], capture_output=True,
                              text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("have its files changed?", done.stderr)


class Chats(unittest.TestCase):
    """Conversations rendered by tools/render_chat.py, as text and as ids, are the same calibration rows."""

    def setUp(self):
        try:
            import h5py, transformers  # noqa: F401
        except ModuleNotFoundError as missing:
            self.skipTest(str(missing))
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.model = self.folder / "model"
        shutil.copytree(SOURCE / "models/tinyworld-mixtral", self.model)
        self.template = "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>\n{% endfor %}"
        config = self.model / "tokenizer_config.json"
        settings = json.loads(config.read_text(encoding="utf-8"))
        config.write_text(json.dumps({**settings, "chat_template": self.template}), encoding="utf-8")
        lines = (SOURCE / "models/tinyworld/text/problems.calibration.txt").read_text(encoding="utf-8").split("\n")[:40]
        chats = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}]
                 for q, a in zip(lines[::2], lines[1::2])]
        chats = [c if i % 2 else {"messages": c} for i, c in enumerate(chats)]
        (self.folder / "chats.jsonl").write_text("".join(json.dumps(c) + "\n" for c in chats), encoding="utf-8")
        self.n = len(chats)

    def calibrate(self, name, reader):
        import h5py

        out = self.folder / name
        (self.folder / f"{name}.yaml").write_text(f"""
models: {{ m: {{ hf: {{ path: {self.model} }} }} }}
calibrate: {reader}
methods: {{ reap: {{ criterion: reap, strategy: lowest }} }}
sparsities: 0.25
metrics: {{ perplexity: {{ files: {SOURCE}/models/tinyworld/text/facts.heldout.txt, length: 64, rows_per_file: 1 }} }}
""", encoding="utf-8")
        done = subprocess.run([CULL, "run", self.folder / f"{name}.yaml", "-o", out, "--quiet"], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(next((out / "trials").glob("m-reap*.h5"))) as f:
            c = f["calibration"]
            return f.attrs["calibration_id"], c["chat_template"].asstr()[()], c["length"][()]

    def test_text_and_ids_are_one(self):
        for name, how in (("text", []), ("ids", ["--ids"])):
            done = tool("render_chat.py", self.model, self.folder / "chats.jsonl", *how)
            self.assertEqual(done.returncode, 0, done.stderr)
            (self.folder / f"{name}.jsonl").write_text(done.stdout, encoding="utf-8")
        text = self.calibrate("t", "{ text: { files: text.jsonl, documents: line, whole: true, bos: false } }")
        ids = self.calibrate("i", "{ ids: { files: ids.jsonl } }")
        self.assertEqual(text[0], ids[0])
        self.assertEqual(len(text[1]), self.n)
        self.assertEqual(set(text[1]) | set(ids[1]), {hashlib.sha256(self.template.encode()).hexdigest()})
        padded = [json.loads(l) for l in (self.folder / "ids.jsonl").read_text(encoding="utf-8").split("\n") if l]
        most = max(len(row["ids"]) for row in padded)
        for row in padded:  # as batches are filled up
            row["ids"] = [2] * (most - len(row["ids"])) + row["ids"]
        (self.folder / "padded.jsonl").write_text("".join(json.dumps(r) + "\n" for r in padded), encoding="utf-8")
        self.assertEqual(ids[0], self.calibrate("p", "{ ids: { files: padded.jsonl, pad: 2 } }")[0])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
