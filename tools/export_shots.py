#!/usr/bin/env python3
"""Write the fixed few-shot examples of an installed lm-evaluation-harness task as a jsonl file.

    tools/export_shots.py gsm8k_cot > DATA/gsm8k_cot.train.jsonl

Cull's task gsm8k_cot reads its eight examples from there; they are no part of Cull.
"""
import importlib.util
import json
import pathlib
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        import yaml
    except ModuleNotFoundError:
        sys.exit("PyYAML is not installed; lm-evaluation-harness brings it along")
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        sys.exit("lm_eval is not installed: pip install lm_eval")

    class Loader(yaml.SafeLoader):
        """Task files name Python functions by a tag of lm-eval's own."""

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    for path in sorted((pathlib.Path(spec.origin).parent / "tasks").rglob("*.yaml")):
        if f"task: {sys.argv[1]}\n" not in path.read_text(encoding="utf-8"):
            continue
        task = yaml.load(path.read_text(encoding="utf-8"), Loader)
        samples = (task.get("fewshot_config") or {}).get("samples")
        if task.get("task") == sys.argv[1] and isinstance(samples, list):
            for sample in samples:
                print(json.dumps(sample, ensure_ascii=False))
            return
    sys.exit(f"no task {sys.argv[1]} with examples of its own in {spec.origin}")


if __name__ == "__main__":
    main()
