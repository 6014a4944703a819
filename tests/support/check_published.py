#!/usr/bin/env python3
"""Published configurations: the numbers in counts.txt are those of transformers' models on the meta device.

    check_published.py FOLDER [NAME…]

Exits 77 where torch or transformers is missing.
"""
import json
import os
import sys
import tempfile

try:
    import transformers
    from transformers import AutoConfig
    from check_counts import expected
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

# Words for a class of transformers that their publisher has code of its own for.
THE_SAME = {"kimi_k2": "deepseek_v3"}


def counted(path):
    """Parameters in all and in routed experts of the model of a config.json."""
    with open(path) as f:
        config = json.load(f)
    config["model_type"] = THE_SAME.get(config["model_type"], config["model_type"])
    config.pop("auto_map", None)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(config, f)
        config = AutoConfig.from_pretrained(folder)
        return expected(getattr(config, "thinker_config", config))


def main():
    folder, *wanted = sys.argv[1:]
    transformers.logging.set_verbosity_error()
    wrong = count = 0
    with open(os.path.join(folder, "counts.txt")) as f:
        rows = [line.split() for line in f if not line.startswith("#")]
    for name, total, routed, _ in rows:
        if wanted and name not in wanted:
            continue
        got = counted(os.path.join(folder, name + ".json"))
        if got[:2] != (int(total), int(routed)):
            print(f"{name}: {total} and {routed} are listed, transformers has {got[:2]}", flush=True)
            wrong += 1
        count += 1
    print(f"{wrong} of {count} differ")
    return wrong > 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
