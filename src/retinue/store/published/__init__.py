"""Finished runs: their files, how they become current, and how they are read."""
