"""`cull run` as a function."""

import os
import subprocess
from pathlib import Path

from ._load import load


class CullError(RuntimeError):
    """What `cull` said when it did not succeed; `code` is its exit status."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def run(experiment, output=None, *options, program=None):
    """Run an experiment file and load its results.

    output: the results folder, results/<name of the file> where it is not given, as for the program.
    options: passed on as they are ("--threads=4", "--set", "seeds=[1]").
    program: the executable; CULL in the environment, or `cull` on PATH, where it is not given.
    Raises CullError with the program's last sentence when it exits with another status than 0.
    """
    output = Path(output) if output else Path("results") / Path(experiment).stem
    command = [program or os.environ.get("CULL", "cull"), "run", str(experiment), "-o", str(output)]
    done = subprocess.run([*command, *options], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"cull left with {done.returncode}"]
        raise CullError(done.returncode, said[-1])
    return load(output)
