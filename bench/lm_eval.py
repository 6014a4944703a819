"""Cull's evaluation against lm-evaluation-harness with transformers, whole processes on both sides: the eight
choice tasks of tinyworld, float32, the same cores.

    python bench/lm_eval.py CULL [--model models/tinyworld-mixtral] [--threads 2] [--runs 3] [--batch 32]
                            [--variants 20]

The two take turns, so that whatever else the machine does meets both. Prints the median time of each, their ratio,
and what one `cull run` of VARIANTS pruned variants costs against as many runs of lm-eval (which is timed once: a
pruned checkpoint takes it as long). Both must agree on every accuracy.
"""
import argparse, json, os, pathlib, resource, statistics, subprocess, sys, tempfile, time

TASKS = "arithmetic code compare facts pronouns recall stories translate".split()
ROOT = pathlib.Path(__file__).resolve().parent.parent

ap = argparse.ArgumentParser()
ap.add_argument("cull", type=pathlib.Path)
ap.add_argument("--model", type=pathlib.Path, default=ROOT / "models/tinyworld-mixtral")
for name, default in (("threads", 2), ("runs", 3), ("batch", 32), ("variants", 20)):
    ap.add_argument("--" + name, type=int, default=default)
a = ap.parse_args()

# What a user of lm-eval runs; the tasks are tests/golden/evaluation/yaml's.
THEIRS = """
import json, sys, torch, lm_eval
from lm_eval.tasks import TaskManager
torch.set_num_threads(int(sys.argv[4]))
out = lm_eval.simple_evaluate(model="hf", model_args=f"pretrained={sys.argv[1]},dtype=float32", device="cpu",
                              tasks=sys.argv[3].split(","), batch_size=int(sys.argv[5]), bootstrap_iters=0,
                              task_manager=TaskManager(include_path=sys.argv[2]))
print(json.dumps({t: r["acc,none"] for t, r in out["results"].items()}))
"""


def timed(command, **how):
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **how)
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (time.perf_counter() - start, cpu), done.stdout


def theirs(folder):
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", OMP_NUM_THREADS=str(a.threads),
                      OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0")  # else it spins where the machine is busy
    yaml = ROOT / "tests/golden/evaluation/yaml"
    made = folder / "yaml"
    if not made.exists():  # with the tasks' files by their full names
        made.mkdir()
        for path in yaml.glob("*tw_*"):
            text = path.read_text().replace("../../../models", str(ROOT / "models"))
            (made / path.name).write_text(text)
    seconds, out = timed([sys.executable, "-c", THEIRS, a.model, made, ",".join("tw_" + t for t in TASKS),
                          a.threads, a.batch], cwd=made)
    return seconds, json.loads(out.splitlines()[-1])


def ours(folder, n):
    files = ",".join(str(ROOT / f"models/tinyworld/tasks/{t}.jsonl") for t in TASKS)
    out = folder / f"eval-{n}"
    seconds, _ = timed([a.cull, "eval", a.model, "-q", "--precision", "f32", "--threads", a.threads, "--tasks", files,
                        "-o", out, "--lm-eval", folder / "ours.json"])
    results = json.loads((folder / "ours.json").read_text())["results"]
    return seconds, {"tw_" + t: results[t]["acc,none"] for t in TASKS}


def variants(folder):
    files = ", ".join(str(ROOT / f"models/tinyworld/tasks/{t}.jsonl") for t in TASKS)
    half = (a.variants + 1) // 2
    spec = folder / "variants.yaml"
    spec.write_text(f"""question: What do {a.variants} variants cost?
models: {{ tiny: {{ hf: {{ path: {a.model.resolve()} }} }} }}
calibrate: {{ text: {{ files: {ROOT}/models/tinyworld/text/*.calibration.txt, length: 256, rows_per_file: 1 }} }}
methods: {{ random: [ {{ criterion: random, strategy: lowest }} ] }}
sparsities: [ 0.25, 0.5 ]
seeds: [ {", ".join(str(s + 1) for s in range(half))} ]
precision: f32
metrics: [ {{ choices: {{ tasks: [ {files} ] }} }} ]
""")
    return timed([a.cull, "run", spec, "-o", folder / "variants", "-q", "--threads", a.threads])[0], 2 * half


def spread(x):
    wall, cpu = zip(*x)
    return f"{statistics.median(wall):.1f} s ({min(wall):.1f}–{max(wall):.1f}), {statistics.median(cpu):.1f} s of CPU"


def times(x, y):
    """How many times as long x took as y: wall and CPU."""
    return " and ".join(f"{a / b:.1f}" for a, b in zip(x, y))


def median(x):
    return [statistics.median(of) for of in zip(*x)]


with tempfile.TemporaryDirectory() as tmp:
    tmp = pathlib.Path(tmp)
    t, o = [], []
    for run in range(a.runs):
        seconds, want = theirs(tmp)
        t.append(seconds)
        seconds, got = ours(tmp, run)
        o.append(seconds)
        if any(abs(want[k] - got[k]) > 1e-12 for k in want):
            sys.exit(f"lm-eval has {want}, Cull {got}")
    seconds, n = variants(tmp)
    all_theirs = [n * x for x in median(t)]
    print(f"lm-eval: {spread(t)}\nCull:    {spread(o)}")
    print(f"  {times(median(t), median(o))} times faster (wall and CPU)")
    print(f"{n} runs of lm-eval: {all_theirs[0]:.0f} s, {all_theirs[1]:.0f} s of CPU")
    print(f"one run of Cull, {n} variants, dense and calibration: {seconds[0]:.1f} s, {seconds[1]:.1f} s of CPU")
    print(f"  {times(all_theirs, seconds)} times faster (wall and CPU)")
