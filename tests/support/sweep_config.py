#!/usr/bin/env python3
"""Every key of every family's configuration class, set to other values on tiny checkpoints: what Cull computes equals
what transformers computes, or Cull refuses the key by name; and what transformers refuses, Cull refuses.

    sweep_config.py CULL [--part I/N] [--json FILE] [FAMILY…]

--part 1/20 takes every twentieth case, 1 ≤ I ≤ N. Exits 77 where torch or transformers, or the version that the lists
of sweep_values.py were made with, is missing.
"""
import argparse
import contextlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile

try:
    import h5py
    import torch
    import transformers
    from transformers import AutoConfig
    from transformers.initialization import no_init_weights
    from make_checkpoints import CASES, class_of, config_of, make
    from sweep_values import DERIVED, Case, cases_of, foreign, foreign_case, halves, is_looked_at, why_accepted
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

VERSION = "5.24"
TOLERANCE = 1e-3  # of the largest logit
LENGTH = 40
MEMORY = 12 << 30
LARGEST = 1 << 26  # parameters; the checkpoints have some 100,000
DEEPEST = 100      # layers; the checkpoints have 3 to 6
PATIENCE = 60      # seconds of the reference, ten times as many of the clock for Cull
UNFIT = "tensors are missing or do not fit"
# What from_pretrained looks at, and a model that is made of a config does not.
LOADING = ("tie", "quantization_config", "transformers_weights", "dtype", "architectures", "model_type")


class Family:
    """A checkpoint whose config.json is set anew; in a wrapper, its text_config or what stands round it."""

    def __init__(self, folder, kind, options, how):
        make(folder, kind, options, dict(how, dtype="f32"), 1)
        self.folder = folder
        self.ids = torch.randint(3, 300, (1, LENGTH), generator=torch.Generator().manual_seed(7))
        self.listed = os.path.join(os.path.dirname(folder), "ids.jsonl")
        with open(self.listed, "w") as f:
            f.write(json.dumps(self.ids[0].tolist()))
        with open(os.path.join(folder, "config.json")) as f:
            self.whole = json.load(f)
        self.wrapped = "text_config" in self.whole
        self.saved = self.whole["text_config"] if self.wrapped else self.whole
        if self.saved.get("head_dim", 0) is None:  # transformers' YaRN trips over null
            self.saved["head_dim"] = self.saved["hidden_size"] // self.saved["num_attention_heads"]
        config = AutoConfig.from_pretrained(folder)
        self.cls, self.outer_cls = type(config.get_text_config()), type(config)
        self.kind = class_of(config)
        self.state = self.load()[0].state_dict()

    def cases(self, everything):
        """Case by case, and the one of keys that mean nothing to the family."""
        cases = list(cases_of(self.saved, self.cls))
        if self.wrapped:
            cases += cases_of(without_text(self.whole), self.outer_cls, True)
        random.Random(0).shuffle(cases)
        return cases, foreign_case(self.saved, self.cls, everything)

    def write(self, case):
        config = self.whole if case.outer or not self.wrapped else self.saved
        config = {k: v for k, v in dict(config, **case.edit).items() if k not in case.dropped}
        with open(os.path.join(self.folder, "config.json"), "w") as f:
            json.dump(dict(self.whole, text_config=config) if self.wrapped and not case.outer else config, f)

    def load(self):
        model, info = self.kind.from_pretrained(self.folder, dtype=torch.float32, attn_implementation="eager",
                                                output_loading_info=True)
        return model, bool(info["missing_keys"] or info["mismatched_keys"])

    def model(self, case, careful):
        """The model of the config.json as it stands; None: its tensors are missing or do not fit. Where it asks for
        the tensors that the checkpoint has it is made in place, which is faster than loading it; not so if careful."""
        config = AutoConfig.from_pretrained(self.folder)
        if (config.get_text_config().num_hidden_layers or 0) > DEEPEST:
            return None
        with no_init_weights(), torch.device("meta"):
            wanted = self.kind._from_config(config, dtype=torch.float32, attn_implementation="eager").state_dict()
        same = all(k in self.state and self.state[k].shape == v.shape for k, v in wanted.items())
        if not same and sum(v.numel() for v in wanted.values()) > LARGEST:
            return None
        if not same or careful or any(word in key for key in (*case.edit, *case.dropped) for word in LOADING):
            model, unfit = self.load()
            return None if unfit else model
        with no_init_weights():
            model = self.kind._from_config(AutoConfig.from_pretrained(self.folder), dtype=torch.float32,
                                           attn_implementation="eager")
        model.load_state_dict(self.state, strict=False)
        return model


def without_text(whole):
    return {k: v for k, v in whole.items() if k != "text_config"}


def give_up(*_):
    raise TimeoutError(f"it takes more than {PATIENCE} s")


def reference(family, case, careful):
    """The logits, or why transformers refuses."""
    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            model = family.model(case, careful)
            if model is None:
                return UNFIT
            if hasattr(model, "language_model") and hasattr(model.language_model, "lm_head"):
                model = model.language_model  # as in make_checkpoints.py
            return model.eval()(family.ids, use_cache=False, return_dict=True).logits
    except Exception as why:
        return f"{type(why).__name__}: {why}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def cull(program, family):
    """The logits, or Cull's message; or how else it ended."""
    out = os.path.join(os.path.dirname(family.folder), "trace.h5")
    with contextlib.suppress(FileNotFoundError):
        os.remove(out)
    try:
        done = subprocess.run([program, "trace", family.folder, "--ids", family.listed, "-o", out, "--threads", "1"],
                              capture_output=True, text=True, timeout=10 * PATIENCE)
    except subprocess.TimeoutExpired:
        return f"exit never, within {10 * PATIENCE} s"
    if done.returncode == 0:
        with h5py.File(out) as h:
            return torch.tensor(h["logits"][:])
    refused = done.returncode == 3 or (done.returncode == 1 and "is not a number" in done.stderr)
    return done.stderr if refused else f"exit {done.returncode}"


OLDER = {"layers_block_type": "hybrid_override_pattern"}  # names that no attribute_map has


def is_named(cls, case, said):
    """Does Cull's message name what it refuses?"""
    keys = [*case.edit, *case.dropped]
    keys += [OLDER[k] for k in keys if k in OLDER]
    inside = [k for v in case.edit.values() if isinstance(v, dict) for k in v]
    aliases = [b for k in keys for b in (cls.attribute_map.get(k), *(a for a, t in cls.attribute_map.items() if t == k))]
    words = [*keys, *inside, *filter(None, aliases), "tensor", "positions", "sliding_window", "for each layer",
             "is not JSON"]
    return any(word in said for word in words)


def verdict(cls, case, want, got):
    """"", or what is wrong. `want`: a function, as many of Cull's refusals need no second opinion."""
    if isinstance(got, str):
        if got.startswith("exit"):
            return f"Cull ends with {got}"
        if is_named(cls, case, got):
            return ""
        want = want()
        if isinstance(want, str) or not torch.isfinite(want).all():
            return ""
        return f"Cull refuses, but not by name: {got[:300]}"
    want = want()
    if isinstance(want, str):
        accepted = all(why_accepted(cls, k, v, case.outer) for k, v in case.edit.items()) and all(
            not is_looked_at(k, case.outer) or (k in DERIVED and case.edit) for k in case.dropped)
        return "" if accepted else f"Cull accepts what transformers refuses: {want[:200]}"
    if not torch.isfinite(want).all():
        return "" if not torch.isfinite(got).all() else "transformers yields NaN or infinity, Cull does not"
    difference = ((got - want).abs().max() / want.abs().max().clamp(min=1e-30)).item()
    return "" if difference <= TOLERANCE else f"logits differ by {difference:.1e}"


class Sweep:
    """Of one family; `wrong` collects (case, what)."""

    def __init__(self, program, family):
        self.program, self.family = program, family
        self.wrong, self.refused = [], 0

    def judge(self, case, careful=False):
        """(what is wrong, whether Cull refuses)"""
        self.family.write(case)
        got = cull(self.program, self.family)
        cls = self.family.outer_cls if case.outer else self.family.cls
        return verdict(cls, case, lambda: reference(self.family, case, careful), got), isinstance(got, str)

    def one(self, case):
        what, refused = self.judge(case)
        self.refused += refused
        if what:
            what, _ = self.judge(case, careful=True)
        if what:
            self.wrong.append((case, what))
            print(f"{self.family.whole['model_type']}: {case}: {what}", flush=True)

    def together(self, case):
        """Keys that change nothing do so together; else half by half, to those that do not."""
        what, refused = self.judge(case)
        if not what and not refused:
            return
        if len(case.edit) == 1:
            self.one(case)
            return
        for half in halves(case):
            self.together(half)


def chosen(words):
    """{model_type: (options, how)}: a plain checkpoint of each family."""
    out = {}
    for kind, options, how in CASES.values():
        plain = not set(how) & {"fp8", "mxfp4", "keep", "mtp", "shard", "fused", "legacy", "rotary_dim", "without"}
        if kind != "arctic" and plain:
            out.setdefault(kind, (options, how))
    everything = foreign(type(config_of(kind, *out[kind]).get_text_config()) for kind in out)
    return {kind: v for kind, v in out.items() if not words or kind in words}, everything


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cull")
    parser.add_argument("--part", default="1/1")
    parser.add_argument("--json")
    parser.add_argument("family", nargs="*")
    args = parser.parse_intermixed_args()
    if not transformers.__version__.startswith(VERSION):
        print(f"skipped: transformers {transformers.__version__}, but the lists are those of {VERSION}", file=sys.stderr)
        return 77
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # the models are tiny
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # huge sizes are to be refused, not to end the run
    part, parts = map(int, args.part.split("/"))
    families, everything = chosen(args.family)
    wrong = []
    for kind, (options, how) in families.items():
        with tempfile.TemporaryDirectory() as work:
            family = Family(os.path.join(work, "model"), kind, options, how)
            sweep, (cases, unknown) = Sweep(args.cull, family), family.cases(everything)
            cases = [Case(), *cases[part - 1::parts]]
            for case in cases:
                sweep.one(case)
            sweep.together(unknown._replace(edit=dict(list(unknown.edit.items())[part - 1::parts])))
            wrong += [(kind, *case, what) for case, what in sweep.wrong]
            print(f"{kind}: {len(cases)} cases, {sweep.refused} refused, {len(sweep.wrong)} wrong", flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(wrong, f, indent=1)
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
