"""Retinue: open, self-hosted customer health scoring.

What this module offers is loaded when it is first used, so that `import retinue` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retinue.errors import (
        NotFound,
        Place,
        Problem,
        ProjectError,
        RetinueError,
        RunError,
        SourceError,
        StoreError,
        TrialError,
    )
    from retinue.notebook import Accounts, Project, Table, open  # noqa: A004 - called as `retinue.open`
    from retinue.run.explanation import Explanation
    from retinue.run.recipe import RunResult
    from retinue.run.validate import Validated

#: Where each public name comes from.
_HOMES = {
    "Accounts": "retinue.notebook",
    "Explanation": "retinue.run.explanation",
    "NotFound": "retinue.errors",
    "Place": "retinue.errors",
    "Problem": "retinue.errors",
    "Project": "retinue.notebook",
    "ProjectError": "retinue.errors",
    "RetinueError": "retinue.errors",
    "RunError": "retinue.errors",
    "RunResult": "retinue.run.recipe",
    "SourceError": "retinue.errors",
    "StoreError": "retinue.errors",
    "Table": "retinue.notebook",
    "TrialError": "retinue.errors",
    "Validated": "retinue.run.validate",
    "open": "retinue.notebook",
}

__all__ = [
    "Accounts",
    "Explanation",
    "NotFound",
    "Place",
    "Problem",
    "Project",
    "ProjectError",
    "RetinueError",
    "RunError",
    "RunResult",
    "SourceError",
    "StoreError",
    "Table",
    "TrialError",
    "Validated",
    "__version__",
    "open",
]

if not TYPE_CHECKING:  # otherwise a wrong name would be Any to type checkers

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'retinue' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted(__all__)
