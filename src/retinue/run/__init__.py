"""The recipe of a run, and the explanation of what it published."""

from retinue.run.recipe import RunResult, rehearse, run

__all__ = ["RunResult", "rehearse", "run"]
