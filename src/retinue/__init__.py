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
    )

#: Where each public name comes from.
_HOMES = {
    "NotFound": "retinue.errors",
    "Place": "retinue.errors",
    "Problem": "retinue.errors",
    "ProjectError": "retinue.errors",
    "RetinueError": "retinue.errors",
    "RunError": "retinue.errors",
    "SourceError": "retinue.errors",
    "StoreError": "retinue.errors",
}

__all__ = [
    "NotFound",
    "Place",
    "Problem",
    "ProjectError",
    "RetinueError",
    "RunError",
    "SourceError",
    "StoreError",
    "__version__",
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
