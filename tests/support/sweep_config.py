#!/usr/bin/env python3
"""Every key of every family's configuration class, set to other values on tiny checkpoints: what Cull computes equals
what transformers computes, or Cull refuses the key by name; and what transformers refuses, Cull refuses.

    sweep_config.py CULL [--part I/N] [--json FILE] [FAMILY…]

--part 1/20 takes every twentieth case, 1 ≤ I ≤ N. Exits 77 where torch or transformers, or the version that the lists
below were made with, is missing.
"""
import argparse
import contextlib
import dataclasses
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import types
import typing

try:
    import h5py
    import torch
    import transformers
    from transformers import AutoConfig
    from make_checkpoints import CASES, class_of, config_of, make
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

VERSION = "5.24"
TOLERANCE = 1e-3  # of the largest logit
LENGTH = 40
MEMORY = 12 << 30
LARGEST = 1 << 26  # parameters; the checkpoints have some 100,000

# Without meaning for a model's numbers: Cull does not look at them, whatever they hold. transformers validates their
# types, or fails where its own code trips over them (a file to load, an implementation it lacks).
NOT_LOOKED_AT = """
    architectures attention_dropout attn_implementation auto_map bos_token_id chunk_size_feed_forward dtype eos_token_id
    experts_implementation id2label initializer_range label2id num_labels output_attentions output_hidden_states
    output_router_logits pad_token_id pretraining_tp problem_type return_dict router_aux_loss_coef router_jitter_noise
    input_jitter_noise max_window_layers torch_dtype transformers_version use_cache gradient_checkpointing
    num_mtp_layers num_nextn_predict_layers mamba_chunk_size chunk_size kv_sharing_modes vocab_size_per_layer_input
    index_n_heads index_head_dim index_local_blocks
""".split()


# Keys whose types alone are validated: no forward pass of the class looks at them.
UNREAD = {"AfmoeConfig": ["global_attn_every_n_layers"], "GlmMoeDsaConfig": ["head_dim", "mlp_bias", "layer_types"],
          "DeepseekV32Config": ["head_dim", "mlp_bias", "layer_types"]}
UNROTATED = ("KimiLinearConfig", "NemotronHConfig", "GraniteMoeHybridConfig")


def why_accepted(cls, key, value):
    """Why Cull may compute what transformers refuses; None: it may not."""
    field = names_of(cls).get(key)
    if key in NOT_LOOKED_AT:
        return "it changes nothing"
    kinds = kinds_of(field.type) if field else set()
    if float in kinds and int not in kinds and isinstance(value, int) and not isinstance(value, bool):
        return "an integer is a number, too"
    if value is None and field and not field.default:
        return "null is how older files say that there is none, where none is the default"
    if key in ("rope_parameters", "rope_scaling", "rope_theta") and cls.__name__ in UNROTATED:
        return "positions are not rotated"
    if key in UNREAD.get(cls.__name__, ()):
        return "it is not read"
    if key == "attn_temperature_tuning" and isinstance(value, int):
        return "older files have a number"
    if key == "head_dim" and value is None:
        return "transformers trips over null where the class has no such field; D / H is meant"
    return None


WORDS = ["gelu", "silu", "swish", "relu", "full_attention", "sliding_attention", "softmax", "sigmoid", "greedy",
         "group_limited_greedy", "noaux_tc", "default", ""]
YARN = dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=16)
LLAMA3 = dict(rope_type="llama3", factor=2.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)


def without(options, *keys):
    return {k: v for k, v in options.items() if k not in keys}


def rope_values():
    """What rope_parameters and rope_scaling may hold, and forms that lack something."""
    forms = [None, {}, {"rope_theta": 100.0}, {"rope_type": "default"}, {"type": "default"}, {"rope_type": "other"},
             {"rope_type": "default", "factor": 2.0}, {"rope_type": "linear", "factor": 2.0}, {"rope_type": "linear"},
             {"rope_type": "dynamic", "factor": 2.0}, {"type": "linear", "factor": 2},
             {"type": "linear", "rope_type": "default", "factor": 2.0}, {"factor": 2.0}, {"rope_type": None},
             {"rope_theta": None}, {"partial_rotary_factor": 0.5}, {"partial_rotary_factor": None},
             {"full_attention": {"rope_type": "default", "rope_theta": 100.0}}, 3, "linear", []]
    for base in (YARN, LLAMA3):
        forms += [base] + [without(base, key) for key in base if key != "rope_type"]
        forms += [dict(base, **{key: None}) for key in base if key != "rope_type"]
    forms += [dict(YARN, **{key: value}) for key, value in (
        ("attention_factor", 1.2), ("attention_factor", 0), ("beta_fast", 8), ("beta_slow", 2), ("beta_fast", 0),
        ("beta_slow", 0), ("mscale", 0.7), ("mscale_all_dim", 0.7), ("truncate", False), ("truncate", None),
        ("factor", 1), ("factor", 0.5), ("factor", "2"), ("rope_theta", 100.0))]
    forms += [dict(YARN, mscale=0.7, mscale_all_dim=0.5), dict(YARN, type="yarn")]
    return forms


# Keys of transformers' shared code, and of older files.
SHARED = {
    "is_causal": [True, False, None, 0, 1], "per_layer_config": [None, {}, {"0": {"hidden_act": "relu"}},
                                                                {"0": {"sliding_window": 4}}],
    "text_config": [None, {}, {"vocab_size": 8}, {"hidden_act": "relu"}],
    "partial_rotary_factor": [0.5, 1.0, 1, None, 0.25, 0], "rotary_dim": [4, 8, None, 0],
    "rope_theta": [100.0, 100, None, 0, "x", 1.0], "rope_scaling": rope_values(), "rope_parameters": rope_values(),
    "original_max_position_embeddings": [16, None], "layer_types": [
        None, [], ["full_attention"], "sliding", "full", "wrong"],  # the last three are made to fit, see layer_types
    "sliding_window": [0, 1, 4, 7, -1, None, 0.5, True, "4"], "use_sliding_window": [True, False, None, 1],
    "attention_chunk_size": [4, None], "tie_word_embeddings": [True, False, None, 1],
    "quantization_config": [None, {}], "head_dim": [None, 8, 16, 0], "torch_dtype": ["float16", None],
    "tie_last_hidden_states": [True, False], "is_decoder": [True], "is_encoder_decoder": [True, None],
    "add_cross_attention": [True], "cross_attention_hidden_size": [8], "tie_encoder_decoder": [True],
    "pruned_heads": [{}, {"0": [0]}], "transformers_weights": [None, "other.safetensors"], "fusion_config": [None, {}],
    "gradient_checkpointing": [True], "kv_sharing_modes": [None, ["x"]], "num_kv_shared_layers": [0, 1],
    "attn_logit_softcapping": [None, 5.0], "final_logit_softcapping": [None, 5.0], "logit_scale": [2.0],
    "query_pre_attn_scalar": [4], "attention_multiplier": [0.5], "mlp_layer_types": [None],
    "distributed_config": [None], "auto_map": [None], "use_bidirectional_attention": [True, None],
}


def layer_types(word, count):
    return {"sliding": ["sliding_attention", "full_attention"] * count, "full": ["full_attention"] * count,
            "wrong": ["other_attention"] * count}[word][:count]


def kinds_of(annotation):
    """The plain types of a field's annotation."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return set().union(*(kinds_of(a) for a in typing.get_args(annotation)))
    if typing.get_origin(annotation) is typing.Literal:
        return {str}
    return {annotation} if annotation in (bool, int, float, str) else set()


def values_of(value, annotation):
    kinds = kinds_of(annotation) | ({type(value)} if type(value) in (bool, int, float, str) else set())
    out = [None]
    if bool in kinds:
        out += [True, False, 1, "true"]
    if kinds & {int, float} and not isinstance(value, bool):
        base = value if isinstance(value, (int, float)) else 4
        out += [0, 1, 2, base + 1, base * 2, -1, base + 0.5, "4"]
    if str in kinds:
        out += WORDS + [3]
    return out


def names_of(cls):
    return {f.name: f for f in dataclasses.fields(cls)}


def foreign(classes):
    """Numbers and flags of all classes, which another class may not know."""
    out = {}
    for cls in classes:
        for name, field in names_of(cls).items():
            if kinds_of(field.type if not isinstance(field.type, str) else type(field.default)) & {bool, int, float}:
                out.setdefault(name, [True] if isinstance(field.default, bool) else [2])
    return out


def cases_of(saved, cls, everything):
    """(key, value) of a family whose own keys are those of `saved`; "a b" sets both, in this order."""
    fields, depth = names_of(cls), saved.get("num_hidden_layers", len(saved.get("layers_block_type", ())))
    keys = dict(everything)
    for name, field in fields.items():
        keys[name] = values_of(saved.get(name, field.default), field.type)
    for key, values in SHARED.items():
        keys[key] = keys.get(key, []) + values
    for alias in cls.attribute_map:
        if alias in saved or cls.attribute_map[alias] in saved:
            base = saved.get(cls.attribute_map[alias], saved.get(alias))
            keys[alias] = [base, None] + ([base + 1, base - 1] if isinstance(base, int) else [])
    done = set()
    for key, values in keys.items():
        if key in ("model_type", "name_or_path"):
            continue
        for value in values:
            if key == "layer_types" and isinstance(value, str):
                value = layer_types(value, depth)
            mark = (key, repr(value))
            if mark not in done and not (key in saved and saved[key] == value and type(saved[key]) is type(value)):
                done.add(mark)
                yield {key: value}, ()
        if key in saved:
            yield {}, (key,)
    both = {"rope_theta": 100.0}
    yield dict(both, rope_scaling={}), ("rope_parameters",)
    yield dict(both, rope_scaling={}, rope_parameters={"rope_type": "linear", "factor": 2.0}), ()
    yield dict(both, rope_scaling={"rope_type": "linear", "factor": 2.0}, rope_parameters={}), ()
    yield dict(both, rope_scaling={"rope_type": "linear", "factor": 2.0},
               rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 50.0}), ()
    yield dict(both, partial_rotary_factor=0.5), ("rope_parameters",)
    yield dict(both, partial_rotary_factor=None), ("rope_parameters",)


class Family:
    """A checkpoint whose config.json is set anew; in a wrapper, its text_config."""

    def __init__(self, folder, ids, kind):
        self.folder, self.ids, self.kind = folder, ids, kind
        with open(os.path.join(folder, "config.json")) as f:
            self.whole = json.load(f)
        self.saved = self.whole.get("text_config", self.whole)

    def write(self, config):
        with open(os.path.join(self.folder, "config.json"), "w") as f:
            json.dump(dict(self.whole, text_config=config) if "text_config" in self.whole else config, f)


def is_large(family):
    """Would the model be that of the class's own sizes? No tensor of the checkpoint fits it."""
    with torch.device("meta"):
        model = family.kind(AutoConfig.from_pretrained(family.folder))
    return sum(p.numel() for p in model.parameters()) > LARGEST


def reference(family, by_default):
    """The logits, or why transformers refuses; by_default: some value is the class's."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            if by_default and is_large(family):
                return "tensors are missing or do not fit"
            model, info = family.kind.from_pretrained(
                family.folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
            if info["missing_keys"] or info["mismatched_keys"]:
                return "tensors are missing or do not fit"
            if hasattr(model, "language_model") and hasattr(model.language_model, "lm_head"):
                model = model.language_model  # as in make_checkpoints.py
            with torch.no_grad():
                return model.eval()(family.ids, use_cache=False, return_dict=True).logits
    except Exception as why:
        return f"{type(why).__name__}: {why}"


def cull(program, family, work):
    out = os.path.join(work, "trace.h5")
    with contextlib.suppress(FileNotFoundError):
        os.remove(out)
    done = subprocess.run([program, "trace", family.folder, "--ids", os.path.join(work, "ids.jsonl"), "-o", out],
                          capture_output=True, text=True)
    if done.returncode == 0:
        with h5py.File(out) as h:
            return torch.tensor(h["logits"][:])
    return done.stderr if done.returncode == 3 else f"exit {done.returncode}"


def verdict(cls, edit, dropped, want, got):
    """"", or what is wrong."""
    keys = [*edit, *dropped]
    if isinstance(got, str) and got.startswith("exit"):
        return f"Cull ends with {got}"
    if isinstance(want, str):
        accepted = all(why_accepted(cls, k, v) for k, v in edit.items()) and all(k in NOT_LOOKED_AT for k in dropped)
        if isinstance(got, str) or accepted:
            return ""
        return f"Cull accepts what transformers refuses: {want[:200]}"
    if isinstance(got, str):
        inside = [k for v in edit.values() if isinstance(v, dict) for k in v]
        aliases = [b for k in keys for b in (cls.attribute_map.get(k), *(a for a, t in cls.attribute_map.items() if t == k)) if b]
        named = any(k in got for k in keys + inside + aliases) or "tensor" in got or "positions" in got or "sliding_window" in got \
            or "for each layer" in got
        return "" if named else f"Cull refuses, but not by name: {got[:300]}"
    if not torch.isfinite(want).all():
        return ""
    difference = ((got - want).abs().max() / want.abs().max().clamp(min=1e-30)).item()
    return "" if difference <= TOLERANCE else f"logits differ by {difference:.1e}"


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
    chosen = {}
    for name, (kind, options, how) in CASES.items():
        plain = not set(how) & {"fp8", "mxfp4", "keep", "mtp", "shard", "fused", "legacy", "rotary_dim", "without"}
        if kind != "arctic" and plain:
            chosen.setdefault(kind, (options, how))
    everything = foreign(type(config_of(kind, *chosen[kind]).get_text_config()) for kind in chosen)
    wrong = []
    for kind, (options, how) in chosen.items():
        if args.family and kind not in args.family:
            continue
        with tempfile.TemporaryDirectory() as work:
            folder = os.path.join(work, "model")
            make(folder, kind, options, dict(how, dtype="f32"), 1)
            ids = torch.randint(3, 300, (1, LENGTH), generator=torch.Generator().manual_seed(7))
            with open(os.path.join(work, "ids.jsonl"), "w") as f:
                f.write(json.dumps(ids[0].tolist()))
            config = AutoConfig.from_pretrained(folder)
            family = Family(folder, ids, class_of(config))
            if family.saved.get("head_dim", 0) is None:  # transformers' YaRN trips over null
                family.saved["head_dim"] = family.saved["hidden_size"] // family.saved["num_attention_heads"]
            cls = type(config.get_text_config())
            cases = list(cases_of(family.saved, cls, everything))
            random.Random(0).shuffle(cases)
            cases = [({}, ())] + cases[part - 1::parts]
            refused = 0
            for edit, dropped in cases:
                family.write({k: v for k, v in dict(family.saved, **edit).items() if k not in dropped})
                want = reference(family, dropped or None in edit.values())
                got = cull(args.cull, family, work)
                refused += isinstance(got, str)
                what = verdict(cls, edit, dropped, want, got)
                if what:
                    wrong.append((kind, edit, dropped, what))
                    print(f"{kind}: {json.dumps(edit)}{' without ' + ', '.join(dropped) if dropped else ''}: {what}",
                          flush=True)
            print(f"{kind}: {len(cases)} cases, {refused} refused", flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(wrong, f, indent=1)
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
