"""The recipe of a run, and the explanation of what it published."""

from retinue.run.recipe import RunResult, run

__all__ = ["RunResult", "run"]
