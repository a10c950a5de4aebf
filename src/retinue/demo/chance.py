"""Random numbers that depend on the seed, the block of accounts and their purpose, on nothing else."""

from __future__ import annotations

import zlib

import numpy as np

from retinue.demo.calendar import Array

#: Accounts in a block: the unit of randomness and of memory. Part of what a seed means.
BLOCK = 256


def stream(seed: int, block: int, purpose: str) -> np.random.Generator:
    """An independent generator; another purpose or block never shifts its numbers."""
    entropy = np.random.SeedSequence([seed, block, zlib.crc32(purpose.encode())])
    return np.random.Generator(np.random.PCG64(entropy))


def sigmoid(x: Array | float) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x, dtype=float))))
