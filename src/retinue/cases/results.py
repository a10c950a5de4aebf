"""Whether cases hold, for people and as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from retinue.errors import Place


@dataclass(frozen=True)
class Failure:
    """What differs: `what` of `account` on `as_of`. Values are JSON."""

    what: str
    expected: Any
    got: Any
    place: Place
    account: str | None = None
    as_of: date | None = None

    def __str__(self) -> str:
        where = f"{self.account} on {self.as_of}, " if self.account else ""
        return f"{self.place}: {where}{self.what}: expected {_shown(self.expected)}, got {_shown(self.got)}"


@dataclass(frozen=True)
class CaseResult:
    """Whether a case holds, and if not, why: `failures`, or `error` where it could not be computed."""

    name: str
    place: Place
    failures: tuple[Failure, ...] = ()
    error: str | None = None

    @property
    def passed(self) -> bool:
        return not self.failures and self.error is None

    def to_dict(self) -> dict[str, Any]:
        return {
            "case": self.name,
            "file": self.place.file,
            "line": self.place.line,
            "passed": self.passed,
            "error": self.error,
            "failures": [
                {
                    "what": one.what,
                    "account": one.account,
                    "as_of": one.as_of.isoformat() if one.as_of else None,
                    "expected": one.expected,
                    "got": one.got,
                    "file": one.place.file,
                    "line": one.place.line,
                }
                for one in self.failures
            ],
        }


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
