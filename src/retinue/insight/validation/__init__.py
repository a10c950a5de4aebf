"""The trial of a score: what it foretold, held against what happened."""

from retinue.insight.validation.asked import Bars, Trial
from retinue.insight.validation.report import Report
from retinue.insight.validation.validate import validate

__all__ = ["Bars", "Report", "Trial", "validate"]
