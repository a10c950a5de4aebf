"""Metrics: a number per account and date, from facts."""
