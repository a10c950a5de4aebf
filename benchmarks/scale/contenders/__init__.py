"""Ways to compute the metrics of the benchmark. Each runs in a process of its own.

A module has `work(spec)`, which is measured, and returns a function for what comes after the
clock has stopped: it writes what is compared and tells the rest.
"""
