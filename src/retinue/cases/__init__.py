"""`retinue test`: a project's own cases, computed by the real engine on their own rows."""

from retinue.cases.results import CaseResult, Failure
from retinue.cases.running import run_cases

__all__ = ["CaseResult", "Failure", "run_cases"]
