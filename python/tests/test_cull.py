"""test_cull.py RESULTS CULL EXPERIMENT: the package against h5py on a folder, and a run through it.

Exits 77 where a module is missing.
"""
import os
import signal
import sys
import tempfile
import threading
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "src"))
try:
    import h5py
    import numpy as np
    import cull
except ImportError as missing:
    print(missing)
    sys.exit(77)


def check_frames(folder):
    results = cull.load(folder)
    assert len(results.trials) == len(results.metrics.trial.unique()) > 0
    for trial, row in results.trials.iterrows():
        with h5py.File(os.path.join(folder, "trials", row.file)) as file:
            ours = results.metrics[results.metrics.trial == trial]
            assert sorted(ours.value) == sorted(file["metrics/value"][()])
            for task, group in file["eval"].items():
                if "acc" in group:
                    items = results.items[(results.items.trial == trial) & (results.items.task == task)]
                    assert (items.acc.to_numpy() == group["acc"][()]).all(), task
            experts = results.experts[results.experts.trial == trial]
            kept = file["experts/kept"][()]
            assert (experts.kept.to_numpy() == kept[kept != 255]).all()
            whole = results.dataset.sel(trial=trial)
            assert (whole.kept.to_numpy()[:, : kept.shape[1]] == kept).all()
            assert whole.model == file.attrs["model"]


def check_damaged(folder):
    """A damaged file is a warning, not an end; an empty folder is an error."""
    with tempfile.TemporaryDirectory() as copy:
        os.mkdir(os.path.join(copy, "trials"))
        try:
            cull.load(copy)
            raise AssertionError("an empty folder was loaded")
        except FileNotFoundError as error:
            assert copy in str(error)
        with open(os.path.join(copy, "trials", "damaged.h5"), "wb") as file:
            file.write(b"not HDF5")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert cull.load(copy).metrics.empty
        assert "damaged.h5" in str(caught[0].message)


def check_run(program, experiment):
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "out")
        options = ["--quiet", "--set", "sparsities=[0.5]", "--set", "seeds=[1]"]
        results = cull.run(experiment, output, *options, program=program)
        assert set(results.metrics.method) > {"dense"} and np.isfinite(results.metrics.value).all()
        try:
            cull.run(os.path.join(folder, "absent.yaml"), output, program=program)
            raise AssertionError("a missing file was run")
        except cull.CullError as error:
            assert error.code != 0 and "absent.yaml" in str(error), error


def check_scores(program, experiment):
    """Scores made here come in through the criterion `from`: as an array of NumPy."""
    with tempfile.TemporaryDirectory() as folder:
        scores = np.arange(64, dtype=np.float32).reshape(4, 16) % 7
        path = os.path.join(folder, "mine.npy")
        np.save(path, scores)
        method = "methods={mine: {criterion: {from: {path: %s}}, strategy: lowest}}" % path
        results = cull.run(experiment, os.path.join(folder, "out"), "--quiet", "--set", method, program=program)
        experts = results.experts[results.experts.method == "mine"]
        for layer, rows in experts.groupby("layer"):
            order = np.argsort(scores[layer], kind="stable")
            assert sorted(rows.expert[rows.kept == 0]) == sorted(order[:8]), layer


def check_what_goes_wrong(program, experiment):
    """All problems of a file, a program that is missing, and Ctrl-C, which ends a run in order."""
    with tempfile.TemporaryDirectory() as folder:
        wrong = os.path.join(folder, "wrong.yaml")
        with open(wrong, "w", encoding="utf-8") as file:
            file.write("models: {}\nmethds: {}\nmetrics: [ perplexty ]\n")
        try:
            cull.run(wrong, os.path.join(folder, "out"), program=program)
            raise AssertionError("a wrong file was run")
        except cull.CullError as error:
            assert error.code == 2 and "methds" in str(error) and "perplexty" in str(error), error
        try:
            cull.run(experiment, folder, program=os.path.join(folder, "no-program"))
            raise AssertionError("there is no such program")
        except FileNotFoundError as error:
            assert "no-program" in str(error) and "install Cull" in str(error), error
        script = os.path.join(folder, "slow")
        with open(script, "w", encoding="utf-8") as file:  # as cull does: once in order, and at once the second time
            file.write("#!/bin/sh\ntrap 'trap \"exit 99\" INT; sleep 1; echo >&2 error: interrupted; exit 130' INT\n"
                       "echo begun >&2\nwhile :; do sleep 0.1; done\n")
        os.chmod(script, 0o755)
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        before = time.monotonic()
        try:
            cull.run(experiment, os.path.join(folder, "out"), program=script)
            raise AssertionError("it was not interrupted")
        except KeyboardInterrupt:
            assert time.monotonic() - before >= 1.9, "it was not waited for"
        check_nobody_listens(folder, experiment, script)


def check_nobody_listens(folder, experiment, script):
    """What the program says cannot be passed on: it is ended, and not left to itself."""
    with open(script, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\necho $$ > {folder}/pid\necho begun >&2\nexec sleep 60\n")
    said, sys.stderr = sys.stderr, open(os.devnull, "w", encoding="utf-8")
    sys.stderr.close()
    try:
        cull.run(experiment, os.path.join(folder, "out"), program=script)
        raise AssertionError("a closed stderr was written to")
    except ValueError:
        pass
    finally:
        sys.stderr = said
    with open(os.path.join(folder, "pid"), encoding="utf-8") as file:
        assert not os.path.exists(f"/proc/{file.read().strip()}"), "it was left to itself"


check_frames(sys.argv[1])
check_damaged(sys.argv[1])
check_run(sys.argv[2], sys.argv[3])
check_what_goes_wrong(sys.argv[2], sys.argv[3])
check_scores(sys.argv[2], sys.argv[3])
print("read, damaged and run: as they should be")
