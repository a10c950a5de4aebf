"""What history and nights cost at scale, beside other ways to compute the same numbers.

python -m benchmarks.scale --help
"""
