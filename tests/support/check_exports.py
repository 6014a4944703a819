#!/usr/bin/env python3
"""Every golden checkpoint, cut in several ways and written by `cull export`, loaded in transformers: its logits are
those that `cull trace` writes for it, and for the variant itself. The first way is a user's: an experiment that prunes
by frequency to half, `cull run`, `cull export TRIAL`; there the export's perplexity is that of the trial's record, and
generate() answers as the record has it.

    check_exports.py CULL GOLDEN-FOLDER [--way WAY]… [NAME…]

Exits 77 where torch, transformers or h5py is missing. Arctic, which transformers lacks, is compared with the variant
alone. Quantised checkpoints are exported as they are, and dequantised.
"""
import argparse
import glob
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
    from make_checkpoints import CASES, class_of, config_of, make
    from stored_forms import dequantise_fp8
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoModelForCausalLM, Mxfp4Config
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

TOLERANCE = 1e-3
PERPLEXITY = 1e-4  # relative
WINDOW, ANSWER = 16, 12
TEXT = "Half of the experts are gone, and who misses them?\n"
PROMPTS = ["Half of", "who", "the experts are gone, and"]
NOVICE = 3  # as in cull/cut.h
# What a checkpoint cannot say, with the words of the refusal.
REFUSED = {("arctic", "uneven"): "transformers lacks", ("arctic", "novices"): "transformers lacks",
           ("dsa-shared", "headless"): "shares the indexer of a layer that is gone",
           ("ernie-layers", "headless"): "its config.json means another model"}
REFUSED.update({(name, way): "as many experts of images as of text" for name, way in (
    ("ernie-vl", "uneven"), ("ernie-vl", "novices"), ("ernie-vl-types", "novices"))})
REFUSED.update({(arch, way): "transformers lacks" for way in ("uneven", "novices")
                for arch in ("qwen3_vl_moe_text", "qwen3_omni_moe_text", "qwen3_omni_moe")})
# Language models that transformers has with a wrapper round them alone: it, and what it puts before their names.
WRAPPED = {"qwen3_vl_moe_text": ("qwen3_vl_moe", "model.language_model."),
           "glm4v_moe_text": ("glm4v_moe", "model.language_model."),
           "qwen3_omni_moe_text": ("qwen3_omni_moe_thinker", "model.")}


class NeedsAll(Exception):
    """Its router picks from so few groups that half of the experts are too few, which Cull says."""


EXPERIMENT = """
models:     {{ m: {{ hf: {{ path: {model} }} }} }}
calibrate:  {{ ids: {{ files: {work}/calibration.jsonl }} }}
methods:    {{ frequency: {{ criterion: frequency, strategy: lowest }} }}
sparsities: 0.5
metrics:
  - perplexity: {{ files: {work}/text.txt, length: {window}, bos: none }}
  - generation: {{ tasks: {work}/answers.jsonl, max_new: {answer}, bos: none }}
"""


def byte_tokenizer(size):
    """Every byte a token, in the letters of byte-level BPE, and pairs of letters up to `size`."""
    letters = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    rest = [b for b in range(256) if b not in letters]
    names = {b: chr(b) for b in letters} | {b: chr(256 + i) for i, b in enumerate(rest)}
    pairs = [a + b for a in "abcdefghijklmnop" for b in "zyxwvutsrq"][: size - 256]
    vocabulary = {names[b]: b for b in range(256)} | {pair: 256 + i for i, pair in enumerate(pairs)}
    return {"version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True},
            "model": {"type": "BPE", "vocab": vocabulary, "merges": [f"{pair[0]} {pair[1]}" for pair in pairs]}}


def frequency(cull, folder, golden, work):
    """Half of the experts, by a run: the model that was pruned, which has a tokenizer now, and its trial."""
    model = os.path.join(work, "model")
    shutil.copytree(folder, model, ignore=shutil.ignore_patterns("golden*"))
    with open(os.path.join(model, "tokenizer.json"), "w") as f:
        json.dump(byte_tokenizer(golden["logits"].shape[-1]), f)
    ids = torch.randint(256, (8, 40), generator=torch.Generator().manual_seed(5))
    with open(os.path.join(work, "calibration.jsonl"), "w") as f:
        f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
    with open(os.path.join(work, "text.txt"), "w") as f:
        f.write(TEXT)
    with open(os.path.join(work, "answers.jsonl"), "w") as f:
        for prompt in PROMPTS:
            request = {"ctx": prompt, "until": [], "max": ANSWER}
            f.write(json.dumps({"requests": [request], "target": "?"}) + "\n")
    with open(os.path.join(work, "half.yaml"), "w") as f:
        f.write(EXPERIMENT.format(model=model, work=work, window=WINDOW, answer=ANSWER))
    done = subprocess.run([cull, "run", os.path.join(work, "half.yaml"), "-o", os.path.join(work, "results"), "--quiet"],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode == 2 and "but its router needs" in done.stderr:
        raise NeedsAll
    if done.returncode:
        raise RuntimeError(done.stderr)
    trial, = glob.glob(os.path.join(work, "results", "trials", "m-frequency-*.h5"))
    return model, trial, [trial]


def by_hand(layers):
    """A cut made of what `layers` says of each layer."""

    def made(cull, folder, golden, work):
        cut, width = {}, golden["hidden.0"].shape[-1]
        for name, t in golden.items():
            if name.startswith("route.") and name.endswith(".logits"):
                cut.update(layers(int(name.split(".")[1]), t.shape[1], width))
        path = os.path.join(work, "cut.safetensors")
        save_file(cut, path, metadata={"cull": "cut/1"})
        return folder, path, [path, "--model", folder]

    made.__name__ = layers.__name__
    return made


@by_hand
def uneven(layer, experts, width):
    """Layers and, where there are some, groups that keep different numbers."""
    gone = [e for e in range(experts) if e % 4 == 1 or (layer == 1 and e % 4 == 3 and e > 3)]
    return {f"layer.{layer}.kept": torch.tensor([e for e in range(experts) if e not in gone], dtype=torch.int32)}


@by_hand
def scattered(layer, experts, width):
    """Few experts, drawn: groups keep different numbers, one or none among them."""
    kept = torch.randperm(experts, generator=torch.Generator().manual_seed(layer))[: max(4, experts * (4 + layer) // 10)]
    return {f"layer.{layer}.kept": kept.sort().values.int()}


@by_hand
def novices(layer, experts, width):
    """Half of the experts as constants."""
    generator = torch.Generator().manual_seed(layer)
    action = torch.zeros(experts, dtype=torch.uint8)
    action[layer % 2::2] = NOVICE
    constants = torch.randn(int((action == NOVICE).sum()), width, generator=generator)
    return {f"layer.{layer}.action": action, f"layer.{layer}.novice": constants.bfloat16().float()}


def without_layer(place, name):
    """One layer less, so that lists by layer and rules of layers are others."""

    def made(cull, folder, golden, work):
        count = sum(key.startswith("hidden.") for key in golden) - 1
        skip = torch.zeros(count, dtype=torch.uint8)
        skip[place(count)] = 1
        path = os.path.join(work, "cut.safetensors")
        save_file({"skip_layer": skip}, path, metadata={"cull": "cut/1"})
        return folder, path, [path, "--model", folder]

    made.__name__ = name
    return made


WAYS = (frequency, uneven, scattered, novices, without_layer(lambda count: 0, "headless"),
        without_layer(lambda count: count // 2, "shorter"))


def trace(cull, model, work, *more):
    out = os.path.join(work, "trace.h5")
    subprocess.run([cull, "trace", model, "--ids", os.path.join(work, "ids.jsonl"), "-o", out, "--quiet", *more],
                   check=True)
    with h5py.File(out) as h:
        return torch.tensor(h["logits"][:])


def rewritten(folder, config, change):
    """A copy of a checkpoint in float32 under another config, with change(tensors) for its tensors."""
    plain = folder + "-f32"
    shutil.copytree(folder, plain, ignore=shutil.ignore_patterns("*.safetensors*"))
    tensors = {}
    for file in glob.glob(os.path.join(folder, "*.safetensors")):
        tensors.update(load_file(file))
    save_file({k: v.float().contiguous() for k, v in change(tensors).items()}, os.path.join(plain, "model.safetensors"),
              metadata={"format": "pt"})
    with open(os.path.join(plain, "config.json"), "w") as f:
        json.dump(config, f)
    return plain


def without_fp8(folder, config):
    """As far as transformers goes: its FP8 needs a GPU."""
    block = config["quantization_config"]["weight_block_size"]
    return rewritten(folder, {k: v for k, v in config.items() if k != "quantization_config"},
                     lambda tensors: dequantise_fp8(tensors, block))


def dressed(folder, config):
    """A bare language model in the wrapper that transformers has it in; Omni's thinker without the rest of Omni."""
    if "thinker_config" in config:
        return rewritten(folder, config["thinker_config"], lambda tensors: {k.removeprefix("thinker."): v
                                                                            for k, v in tensors.items()})
    kind, base = WRAPPED[config["model_type"]]
    whole = config_of(kind, {}, {}).to_dict()
    whole.update(text_config=config, tie_word_embeddings=config["tie_word_embeddings"])
    return rewritten(folder, whole, lambda tensors: {k.replace("model.", base, 1): v for k, v in tensors.items()})


def transformers_model(folder):
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    quantised = config.get("quantization_config", {}).get("quant_method")
    how = dict(dtype=torch.float32, attn_implementation="eager", trust_remote_code=True)
    if config["model_type"] in WRAPPED or "thinker_config" in config:
        folder = dressed(folder, config)
    if quantised == "fp8":
        folder = without_fp8(folder, config)
    if quantised == "mxfp4":
        how["quantization_config"] = Mxfp4Config(dequantize=True)
    own = "auto_map" in config and "cull" in json.dumps(config["auto_map"])
    kind = AutoModelForCausalLM if own else class_of(AutoConfig.from_pretrained(folder))
    model = kind.from_pretrained(folder, **how).eval()
    if hasattr(model, "language_model") and hasattr(model.language_model, "lm_head"):  # as in make_checkpoints.py
        model = model.language_model
    return model


def perplexity_of(model, tokenizer):
    """Of the text in disjoint windows, each fed alone."""
    ids = tokenizer.encode(TEXT).ids
    windows = torch.tensor(ids[: len(ids) // WINDOW * WINDOW]).view(-1, WINDOW)
    with torch.no_grad():
        logits = torch.cat([model(window[None], use_cache=False).logits[:, :-1].float() for window in windows])
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten()).exp().item()


def answer_of(model, tokenizer, prompt):
    """What generate() makes of a prompt, greedily; None: two tokens were too near to call."""
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=ANSWER,
                         output_logits=True, return_dict_in_generate=True)
    for logits in out.logits:
        best = logits[0].float().topk(2).values
        if best[0] - best[1] < TOLERANCE:
            return None
    new = out.sequences[0, ids.shape[1]:].tolist()
    return tokenizer.decode(new[:-1] if new[-1] == model.generation_config.eos_token_id else new)


def as_recorded(model, trial, folder):
    """Is the model what the trial's record says? Its perplexity, and its answers."""
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    with h5py.File(trial) as h:
        rows = dict(zip(h["metrics/metric"].asstr()[:], h["metrics/value"][:]))
        texts = h["eval/answers/text"].asstr()[:]
    difference = abs(perplexity_of(model, tokenizer) / rows["perplexity"] - 1)
    answers = [answer_of(model, tokenizer, prompt) for prompt in PROMPTS]
    same = all(answer is None or answer.split("\0")[0] == text for answer, text in zip(answers, texts))  # texts end at NUL
    print(f"  perplexity {rows['perplexity']:.4g} differs by {difference:.1e}; answers {'' if same else 'NOT '}equal, "
          f"{answers.count(None)} too near to call", flush=True)
    return difference <= PERPLEXITY and same


def check(cull, folder, how, dequantise, work):
    golden = load_file(os.path.join(folder, "golden.safetensors"))
    out, name = os.path.join(work, "out"), os.path.basename(folder)
    folder, cut, exported = how(cull, folder, golden, work)
    with open(os.path.join(folder, "config.json")) as f:
        arch = json.load(f)["model_type"]
    done = subprocess.run([cull, "export", *exported, "-o", out, "--shard", "100K"]
                          + ["--dequantise"] * dequantise, stderr=subprocess.PIPE, text=True)
    reason = REFUSED.get((name, how.__name__), REFUSED.get((arch, how.__name__)))
    if reason:
        return 0 if done.returncode == 3 and reason in done.stderr else float("inf")
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return float("inf")
    ids = golden["input_ids"].long()
    with open(os.path.join(work, "ids.jsonl"), "w") as f:
        f.writelines(json.dumps(row.tolist()) + "\n" for row in ids)
    written = trace(cull, out, work)
    worst = (written - trace(cull, folder, work, "--cut", cut)).abs().max().item()
    if arch == "arctic":
        return worst
    model = transformers_model(out)
    with torch.no_grad():
        worst = max(worst, (model(ids, use_cache=False).logits - written).abs().max().item())
    if how is frequency and not dequantise and not as_recorded(model, cut, out):
        return float("inf")
    return worst


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    parser = argparse.ArgumentParser()
    parser.add_argument("cull")
    parser.add_argument("golden")
    parser.add_argument("name", nargs="*")
    parser.add_argument("--way", action="append", choices=[way.__name__ for way in WAYS])
    args = parser.parse_intermixed_args()
    cull, golden, wanted = args.cull, args.golden, args.name
    ways = [way for way in WAYS if not args.way or way.__name__ in args.way]
    modules = tempfile.TemporaryDirectory()  # where transformers keeps code that checkpoints carry
    transformers.dynamic_module_utils.HF_MODULES_CACHE = modules.name
    more = tempfile.TemporaryDirectory()  # groups of a router whose choice no bias can sway, or of one expert in the
    # end; models within others; tensors without elements
    for name in ("v2-groups", "flash-two", "mistral4-two", "flash-no-shared", "qwen2-no-shared", "qwen-vl-bare",
                 "omni-whole", "ernie-vl", "ernie-vl-types") if not wanted else ():
        make(os.path.join(more.name, name), *CASES[name], 0)
    found = [os.path.join(parent, name) for parent in (golden, more.name)
             for name in wanted or sorted(os.listdir(parent))]
    failed = 0
    for folder in found:
        name = os.path.basename(folder)
        if not os.path.exists(os.path.join(folder, "config.json")):
            continue
        with open(os.path.join(folder, "config.json")) as f:
            forms = (False, True) if "quantization_config" in json.load(f) else (False,)
        for how, dequantise in itertools.product(ways, forms):
            with tempfile.TemporaryDirectory() as work:
                try:
                    worst = check(cull, folder, how, dequantise, work)
                except NeedsAll:
                    print(f"{name:24} {how.__name__:9} left out: its router needs more than half", flush=True)
                    continue
            print(f"{name:24} {how.__name__:9} {'BF16' if dequantise else '':5} {worst:.2g}", flush=True)
            failed += not worst <= TOLERANCE
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
