#!/usr/bin/env python3
"""REAM by `cull run`, from calibration rows to held-out perplexity, beside numpy and scipy (methods/make_ream.py): who is
merged into whom, a merged expert, perplexities. Where router rows are deleted, the export is smaller and transformers
computes what the trial recorded.

    check_ream.py CULL MODELS METHODS

Exits 77 where numpy, h5py or safetensors is missing; transformers is asked only where it is installed.
"""
import glob
import os
import sys
import tempfile
import zlib

try:
    import h5py
    import numpy as np
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

from checking import call

FOUR = ("{ criterion: ream, strategy: { merge: { groups: centroids, usage: reap, router: drop, align: both, "
        "capacity: 4 } }, propagate: pruned }")
EXPERIMENT = """
models:     {{ m: {{ hf: {{ path: {models}/{model} }} }} }}
calibrate:  {{ text: {{ files: {models}/tinyworld/text/*.calibration.txt, length: 256, rows_per_file: 8, dense_rows: 32 }} }}
methods:
  ream:       [ {{ criterion: ream, strategy: {{ merge: {{ groups: centroids, usage: reap, router: drop, align: both }} }}, propagate: pruned }} ]
  ream-four:  [ {four} ]
  ream-kept:  [ {{ criterion: ream, strategy: {{ merge: {{ groups: centroids, usage: reap, router: keep, align: both, capacity: 4 }} }}, propagate: pruned }} ]
  ream-plain: [ {{ criterion: {{ ream: {{ output: tokens }} }}, strategy: {{ merge: {{ groups: centroids, usage: ream, router: drop, capacity: 0 }} }} }} ]
sparsities: [ 0.25, 0.5 ]
allocations: [ layer ]
metrics:    [ {{ perplexity: {{ files: {models}/tinyworld/text/*.heldout.txt, length: 256, rows_per_file: 20 }} }} ]
"""
GOLDEN = (("ream-four", 25), ("ream", 50), ("ream-four", 50), ("ream-kept", 50), ("ream-plain", 50))
DROP = 1  # as in cull/cut.h


def heads_of(cut, golden):
    """Who serves each expert, as far as the cut says it: the rows of members that are gone name nobody."""
    E = golden.shape[1]
    for layer, want in enumerate(golden.astype(int)):
        action = cut.get_tensor(f"layer.{layer}.action")
        target = cut.get_tensor(f"layer.{layer}.target")
        assert ((action == 0) == (want == np.arange(E))).all(), f"layer {layer}: others stay"
        if (action == DROP).any():
            merged = {e for e in range(E) if f"layer.{layer}.expert.{e}.up.matrix" in cut.keys()}
            assert merged == {c for c in range(E) if (want == c).sum() > 1}, f"layer {layer}: other groups"
        else:
            assert (target == want).all(), f"layer {layer}: other groups"


def check_merged(cut, golden):
    layer = max(int(k.split(".")[1]) for k in cut.keys() if k.endswith(".action"))
    names = [f"layer.{layer}.expert.{{}}.{part}.matrix" for part in ("gate", "up", "down")]
    nearest = np.inf
    for e in range(cut.get_tensor(f"layer.{layer}.action").size):
        if names[0].format(e) not in cut.keys():
            continue
        own = [cut.get_tensor(n.format(e)) for n in names]
        off = np.abs(np.stack([own[0], own[1], own[2].T]) - golden).max()
        nearest = min(nearest, off / np.abs(golden).max())
    print(f"  merged expert: off by {nearest:.1e} of the largest")
    assert nearest <= 1e-5, nearest


def check_export(cull, model, trial, pooled, work, heldout):
    exported = os.path.join(work, "exported")
    call(cull, "export", trial, "-o", exported, "--verify")
    size = lambda folder: sum(os.path.getsize(f) for f in glob.glob(f"{folder}/*.safetensors"))
    assert size(exported) < 0.75 * size(model), (size(exported), size(model))
    try:
        import torch
        from transformers import AutoModelForCausalLM
    except ImportError:
        print("  transformers is not here")
        return
    net = AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32)
    total = 0.0
    with torch.no_grad():
        for i in range(0, len(heldout), 20):
            ids = torch.tensor(heldout[i:i + 20])
            logits = net(ids).logits[:, :-1].double().log_softmax(-1)
            total -= logits.gather(2, ids[:, 1:, None]).sum().item()
    theirs = np.exp(total / (heldout.shape[0] * (heldout.shape[1] - 1)))
    print(f"  export: {size(exported)} of {size(model)} bytes; transformers' perplexity {theirs:.5f}, recorded {pooled:.5f}")
    assert abs(theirs / pooled - 1) < 1e-4


def unpack(t):
    """A packed matrix of float32, or a packed mask, as results/README.md has them."""
    rows, cols, m = np.frombuffer(t[:24].tobytes(), "<u8").astype(int)
    bits = np.frombuffer(zlib.decompress(t[24:24 + m].tobytes()), np.uint8).reshape(rows, -1)
    bits = np.unpackbits(bits, axis=1, count=cols, bitorder="little").astype(bool)
    if 24 + m == len(t):
        return bits
    out = np.zeros((rows, cols), "<f4")
    planes = np.frombuffer(zlib.decompress(t[24 + m:].tobytes()), np.uint8)
    out[bits] = planes.reshape(4, -1).T.copy().view("<f4").ravel()
    return out


class Cut:
    """The file of a trial's cut; what is packed in it is unpacked."""

    def __init__(self, folder, trial):
        with h5py.File(trial) as f:
            file = f["cut"].attrs["file"]
        self.file = safe_open(os.path.join(folder, file if isinstance(file, str) else file.decode()), "np")
        self.stored = {name.removesuffix("-packed"): name for name in self.file.keys()}

    def keys(self):
        return self.stored.keys()

    def get_tensor(self, name):
        t = self.file.get_tensor(self.stored[name])
        return unpack(t) if self.stored[name] != name else t


def pooled_of(trial):
    """Perplexity over all held-out tokens."""
    with h5py.File(trial) as f:
        tasks = list(f["eval"].values())
        return np.exp(sum(t["nll"][()].sum() for t in tasks) / sum(t["tokens"][()].sum() for t in tasks))


def check_model(cull, models, methods, model):
    golden = safe_open(f"{methods}/{model}/ream.safetensors", "np")
    heldout = safe_open(f"{methods}/{model}/calibration.safetensors", "np").get_tensor("heldout_ids").astype(int)
    heldout = heldout.reshape(-1, 256)
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/e.yaml", "w") as f:
            f.write(EXPERIMENT.format(models=os.path.abspath(models), model=model, four=FOUR))
        call(cull, "run", f"{work}/e.yaml", "-o", f"{work}/out", "--quiet")
        for method, percent in GOLDEN:
            name = f"{method}-{percent}"
            trial, = glob.glob(f"{work}/out/trials/m-{method}-s0.{str(percent).rstrip('0')}-*.h5")
            cut = Cut(f"{work}/out", trial)
            want = np.exp(golden.get_tensor(f"{name}.nll").sum() / heldout[:, 1:].size)
            found = pooled_of(trial)
            print(f"{model} {name}: perplexity {found:.5f}, numpy's {want:.5f}")
            heads_of(cut, golden.get_tensor(f"{name}.head"))
            if name == "ream-four-50":
                check_merged(cut, golden.get_tensor(f"{name}.merged").astype(float))
            assert abs(found / want - 1) < 1e-3, name
        # Once more with what is rewritten in the model's own type, as a checkpoint has it.
        call(cull, "run", f"{work}/e.yaml", "-o", f"{work}/stored", "--quiet", "--set", "output={store: model}",
             "--set", "sparsities=[0.5]", "--set", f"methods={{ream: [{FOUR}]}}")
        trial, = glob.glob(f"{work}/stored/trials/m-ream-s0.5-*.h5")
        check_export(cull, f"{models}/{model}", trial, pooled_of(trial), work, heldout)


if __name__ == "__main__":
    for found in sorted(glob.glob(f"{sys.argv[3]}/*/ream.safetensors")):
        check_model(sys.argv[1], sys.argv[2], sys.argv[3], os.path.basename(os.path.dirname(found)))
