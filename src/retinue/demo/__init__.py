"""A simulated B2B SaaS company whose truth is known: what happens to accounts, and why."""

from retinue.demo.simulate import LAST_DAY, Simulated, simulate
from retinue.demo.truth import TRUTH, Truth

__all__ = ["LAST_DAY", "TRUTH", "Simulated", "Truth", "simulate"]
