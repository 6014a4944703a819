"""read_results.py FOLDER README: is a results folder what its README says?

Runs the Python blocks of the README, one after the other, on a trial of the folder, and checks what they
leave behind. Exits 77 where a module is missing.
"""
import glob
import os
import re
import shutil
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import pandas
    import xarray
except ImportError as missing:
    print(missing)
    sys.exit(77)


try:
    import xxhash
except ImportError:
    xxhash = None


def check_scales(group):
    """Every axis of every array has a scale of its name, and as many entries."""

    def visit(name, item):
        if not isinstance(item, h5py.Dataset) or item.is_scale:
            return
        for axis, dim in enumerate(item.dims):
            assert len(dim) == 1, f"{name}: axis {axis} has {len(dim)} scales"
            assert dim[0].shape == (item.shape[axis],), name
            assert dim[0].name.split("/")[-1] == dim[0].attrs["NAME"].decode(), name

    group.visititems(visit)


def check_trial(path):
    with h5py.File(path) as file:
        check_scales(file)
        assert file.attrs["status"] == "finished"
        assert len(file.attrs["trial_id"]) == 32
        assert file["provenance/config_yaml"][()].decode().startswith("question: é?")
        assert list(file["experts/layer"]) == [1, 2, 3]
        kept, n = file["experts/kept"][()], file["experts/n_experts"][()]
        assert kept.shape == (3, 8) and list(n) == [8, 8, 6]
        assert (kept[2, 6:] == 255).all() and (kept[2, :6] <= 1).all()
        assert np.isnan(file["experts/score"][0, 2, 6:]).all()
        assert file["experts/kept"].attrs["flag_meanings"] == "removed kept"
        facts = file["eval/facts"]
        rows = list(zip(file["metrics/task"].asstr(), file["metrics/metric"].asstr()))
        value = file["metrics/value"][rows.index(("facts", "acc"))]
        assert value == facts["acc"][()].mean()


def check_checksum(path):
    """The end of a file is the XXH3-128 of the rest; an edit with HDF5 takes it away."""
    data = open(path, "rb").read()
    assert data[-40:-32] == b"xxh3-128"
    if xxhash:
        assert data[-32:].decode() == xxhash.xxh3_128(data[:-40]).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "edited.h5")
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["note"] = "edited"
        assert b"xxh3-128" not in open(copy, "rb").read()[-40:]


def readme_blocks(readme, trial, folder):
    text = open(readme, encoding="utf-8").read()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) >= 3, "the README has lost its examples"
    os.chdir(folder)
    for block in blocks:
        code = re.sub(r'"trials/[^"]*\.h5"', repr(os.path.relpath(trial, folder)), block)
        scope = {}
        try:
            exec(compile(code, readme, "exec"), scope)
        except ImportError as missing:  # safetensors, for the last one
            print(missing)
        yield scope


def main():
    folder, readme = sys.argv[1:]
    trials = sorted(glob.glob(os.path.join(folder, "trials", "*.h5")))
    assert len(trials) == 11, trials
    for path in trials:
        check_trial(path)
        check_checksum(path)
    reap = next(path for path in trials if "reap-s0.5" in path)
    raw, array, table = list(readme_blocks(readme, reap, folder))[:3]
    assert raw["kept"].shape == (3, 8)
    assert array["d"].score.dims == ("criterion", "layer", "expert")
    assert set(array["d"].coords["layer"].values) == {1, 2, 3}
    assert {"task", "metric", "value", "stderr", "n"} <= set(table["t"].columns)
    for engine in ("h5netcdf", "netcdf4"):
        if engine in xarray.backends.list_engines():
            with xarray.open_dataset(reap, engine=engine, group="experts") as d:
                assert d.kept.dims == ("layer", "expert"), engine
                assert float(d.kept.sel(layer=1).sum()) == 4, engine
    with h5py.File(os.path.join(folder, "index.h5")) as index:
        assert index["trials/trial_id"].shape == (11,)
        for name in index["files"]:
            assert "experts/kept" in index["files"][name]
    assert isinstance(table["t"], pandas.DataFrame)


main()
