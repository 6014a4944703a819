"""Results of Cull in pandas and xarray, and `cull run` from Python."""

from ._load import Results, load
from ._run import CullError, run

__all__ = ["CullError", "Results", "load", "run"]
