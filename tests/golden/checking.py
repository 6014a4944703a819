"""What the checks beside numpy share: running cull, texts of HDF5, and saying what was found."""
import subprocess


def call(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def told(what, good, found):
    """A line of the report; is it wrong?"""
    print(f"  {what:28} {found}{'' if good else '   WRONG'}", flush=True)
    return not good
