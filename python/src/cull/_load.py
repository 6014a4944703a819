"""A results folder as data frames. The files' format is in results/README.md."""

import functools
import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr

CELL = ("model", "method", "sparsity", "allocation", "seed", "precision")
AXES = ("calibration", "layers")  # named alternatives, where an experiment has them


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return value.item() if isinstance(value, np.generic) else value


def _column(dataset):
    """A dataset's values, with text as str and padding of bytes as they are."""
    return dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]


class Results:
    """All finished trials of one folder. Frames are read when they are first asked for."""

    def __init__(self, folder, files):
        self.folder = Path(folder)
        self._files = files

    def __repr__(self):
        return f"<cull.Results {self.folder}: {len(self.trials)} trials>"

    @functools.cached_property
    def trials(self):
        """One row per trial, the trial's id as index: its cell, and what its cut removed."""
        rows = {}
        for path, file in self._open("experts"):
            row = self._cell(file)
            row.update({k: _plain(v) for k, v in file["cut"].attrs.items()} if "cut" in file else {})
            row["file"] = path.name
            rows[_plain(file.attrs["trial_id"])] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trial")

    @functools.cached_property
    def metrics(self):
        """One row per trial, task and metric."""
        frames = []
        for _, file in self._open("metrics"):
            group = file["metrics"]
            frames.append(self._frame(file, {k: _column(v) for k, v in group.items() if not v.is_scale}))
        return self._newest(frames, ["trial", "task", "metric", "filter"])

    @functools.cached_property
    def items(self):
        """One row per trial, task and item: whatever one-dimensional outcomes the task has."""
        frames = []
        for _, file in self._open("eval"):
            for task, group in file["eval"].items():
                for axis, columns in self._by_axis(group).items():
                    columns = {"task": task, "axis": axis, **columns}
                    frames.append(self._frame(file, columns, number="item"))
        return self._newest(frames, ["trial", "task", "axis", "item"])

    @functools.cached_property
    def experts(self):
        """One row per trial, layer and expert; scores as score.<criterion>."""
        frames = []
        for _, file in self._open("experts"):
            frame = self._experts(file).to_dataframe().reset_index()
            frame = frame[frame["kept"] != 255] if "kept" in frame else frame
            frames.append(self._frame(file, dict(frame.items())))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @functools.cached_property
    def dataset(self):
        """The experts' arrays of all trials of one shape: (trial, layer, expert)."""
        parts, cells = [], []
        for _, file in self._open("experts"):
            parts.append(self._experts(file))
            cells.append({"trial": _plain(file.attrs["trial_id"]), **self._cell(file)})
        if not parts:
            return xr.Dataset()
        names = list(dict.fromkeys(name for cell in cells for name in cell))
        columns = {name: np.array([cell.get(name, np.nan) for cell in cells]) for name in names}
        whole = xr.concat(parts, dim="trial", data_vars="all", coords="minimal", join="outer",
                          fill_value={name: 255 for name in ("kept", "action")})
        return whole.assign_coords({name: ("trial", column) for name, column in columns.items()})

    def _open(self, group):
        for path in self._files:
            try:
                with h5py.File(path, "r") as file:
                    if group in file:
                        yield path, file
            except OSError as error:
                warnings.warn(f"{path.name} is left out: {error}", stacklevel=3)

    @staticmethod
    def _cell(file):
        cell = {name: _plain(file.attrs.get(name, np.nan)) for name in CELL}
        return {**cell, **{name: _plain(file.attrs[name]) for name in AXES if name in file.attrs}}

    def _frame(self, file, columns, number=None):
        frame = pd.DataFrame(columns)
        if number:
            frame.insert(0, number, np.arange(len(frame)))
        for name, value in reversed(self._cell(file).items()):
            if name not in frame:
                frame.insert(0, name, value)
        frame.insert(0, "trial", _plain(file.attrs["trial_id"]))
        return frame

    @staticmethod
    def _newest(frames, key):
        """An evaluation that was added later stands in a later file: the last one counts."""
        if not frames:
            return pd.DataFrame()
        whole = pd.concat(frames, ignore_index=True)
        key = [name for name in key if name in whole]
        return whole.drop_duplicates(key, keep="last").reset_index(drop=True)

    @staticmethod
    def _by_axis(group):
        """What a group links to (questions/) has no scale: its axis is that of its length."""
        axes, lengths = {}, {}
        for name in group:
            item = group.get(name)  # None: a link whose file is gone
            if isinstance(item, h5py.Dataset) and item.is_scale:
                lengths.setdefault(len(item), name)
        for name in group:
            item = group.get(name)
            if isinstance(item, h5py.Dataset) and item.ndim == 1 and not item.is_scale:
                linked = lengths.get(len(item), "item")
                axis = item.dims[0][0].name.split("/")[-1] if len(item.dims[0]) else linked
                axes.setdefault(axis, {})[name] = _column(item)
        return axes

    @staticmethod
    def _experts(file):
        """The group's (layer, expert) arrays; a criterion's scores are one array each."""
        group = file["experts"]
        layer = group["layer"][()]
        arrays = {}
        for name, item in group.items():
            if item.is_scale or item.ndim < 2:
                continue
            values = item[()]
            if item.ndim == 2:
                arrays[name] = (("layer", "expert"), values)
            elif item.ndim == 3 and name == "score":
                for i, criterion in enumerate(_column(group["criterion"])):
                    arrays[f"score.{criterion}"] = (("layer", "expert"), values[i])
        n = next(iter(arrays.values()))[1].shape[1] if arrays else 0
        return xr.Dataset(arrays, coords={"layer": layer, "expert": np.arange(n)})


def load(folder):
    """The finished trials of a results folder, or of its `trials/`.

    Raises FileNotFoundError where there is none.
    """
    folder = Path(folder)
    trials = folder / "trials" if (folder / "trials").is_dir() else folder
    files = [p for p in trials.glob("*.h5") if not p.name.startswith(".") and p.name != "index.h5"]
    if not files:
        raise FileNotFoundError(f"{folder} has no finished trial")
    # Evaluations that were added to a trial follow it, in the order in which they were made.
    files.sort(key=lambda p: (".eval-" in p.name, p.stat().st_mtime, p.name))
    return Results(folder, files)
