"""`cull run` as a function."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from ._load import load


class CullError(RuntimeError):
    """The errors that `cull` named when it did not succeed; `code` is its exit status."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def _follow(command):
    """Run a command and pass on what it says, line by line; its exit status and the lines.

    An interrupt goes to it, for it to end as after Ctrl-C: what is finished stays, and it is waited for.
    """
    said = []
    # In a session of its own, or a terminal would interrupt it, too, and a second time ends it at once.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)
    interrupted = None
    try:
        while True:
            try:
                for line in process.stderr:
                    said.append(line)
                    sys.stderr.write(line)
                process.wait()
                break
            except KeyboardInterrupt as interrupt:
                interrupted = interrupt
                process.send_signal(signal.SIGINT)
    finally:
        if process.poll() is None:  # what it says finds nobody any more
            process.terminate()
        process.stderr.close()
        process.wait()
    if interrupted:
        raise interrupted
    return process.returncode, said


def _problems(code, said):
    """From the first error on: all problems of a file, with their places."""
    first = next((i for i, line in enumerate(said) if "error: " in line), len(said) - 1)
    return "".join(said[first:]).strip() if said else f"cull left with {code}"


def run(experiment, output=None, *options, program=None):
    """Run an experiment file and load its results.

    output: the results folder, results/<name of the file> where it is not given, as for the program.
    options: passed on as they are ("--threads=4", "--set", "seeds=[1]").
    program: the executable; CULL in the environment, or `cull` on PATH, where it is not given.
    What the program says goes to sys.stderr. Raises CullError with its errors when it exits with another status
    than 0, and FileNotFoundError where there is no program.
    """
    output = Path(output) if output else Path("results") / Path(experiment).stem
    program = program or os.environ.get("CULL", "cull")
    try:
        code, said = _follow([program, "run", str(experiment), "-o", str(output), *options])
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no program {program}: install Cull, or name it by `program` or CULL in the environment"
        ) from None
    if code:
        raise CullError(code, _problems(code, said))
    return load(output)
