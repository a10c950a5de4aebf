"""How well anomalies of usage are told from chance, on simulated portfolios, and what it costs.

    python -m benchmarks.anomalies [--histories 50] [--json]

The worlds are those of `tests/anomalies/worlds.py`: 2,000 accounts over 28 weeks, of which 3 % have fallen
to 30 % of their usage in the last week, in a normal and in a holiday week. Everything is seeded.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from typing import Any

import numpy as np

from retinue.insight.anomalies.judge import anomalies
from tests.anomalies.rules import log_mad, own_mean
from tests.anomalies.worlds import REGIONS, Array, fallen, holiday, world

DAY = date(2025, 3, 2)


def one_week(histories: int, closed: bool) -> dict[str, dict[str, float]]:
    """Per rule: mean false discovery proportion, power, flags without any fall, share flagged then."""
    rows: dict[str, list[list[float]]] = {}
    for seed in range(histories):
        rng = np.random.default_rng(seed)
        known = holiday(world(rng), rng) if closed else world(rng)
        changed, fell = fallen(known, rng)
        told, quiet = changed.drawn(rng), known.drawn(rng)
        rules: dict[str, tuple[Array, Array]] = {
            "this method": tuple(anomalies(c, known.region, DAY, REGIONS).flagged for c in (told, quiet)),
            "own mean - 3 sd": (own_mean(told), own_mean(quiet)),
            "own log median - 3 MAD": (log_mad(told), log_mad(quiet)),
        }
        for name, (flags, none) in rules.items():
            false = (flags & ~fell).sum() / max(flags.sum(), 1)
            found = (flags & fell).sum() / fell.sum()
            rows.setdefault(name, []).append([false, found, none.sum(), none.mean()])
    names = ("false", "power", "flags_of_nothing", "share_of_nothing")
    return {
        rule: dict(zip(names, np.mean(told, axis=0).tolist(), strict=True)) for rule, told in rows.items()
    }


def decline(factors: Array, seeds: range) -> dict[str, float]:
    """Share of 200 changed accounts of 1,000 that each rule finds in the weeks of `factors`."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        known = world(rng, 1000, 28 + len(factors), wander=0)
        times = np.ones(known.mean.shape)
        times[:200, 28 * 7 :] = np.repeat(factors, 7)
        counts = known.times(times).drawn(rng)
        each = [
            anomalies(counts[:, : 7 * end], known.region, DAY, REGIONS)
            for end in range(29, 29 + len(factors))
        ]
        weekly = np.array([one.flagged & (one.direction < 0) for one in each])[:, :200]
        falling = np.array([one.falling for one in each])[:, :200]
        found.append([weekly.any(axis=0).mean(), falling.any(axis=0).mean()])
    one, slow = np.mean(found, axis=0)
    return {"one_week": float(one), "cusum": float(slow)}


def false_alarms(seeds: range) -> float:
    """Declines that begin to be told where nothing changes, per account and year."""
    begun = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        known = world(rng, 500, 28 + 52, wander=0)
        counts = known.drawn(rng)
        falling = np.array(
            [anomalies(counts[:, : 7 * end], known.region, DAY, REGIONS).falling for end in range(28, 81)]
        )
        begun += int((falling[1:] & ~falling[:-1]).sum())
    return begun / len(seeds) / 500


def cost(accounts: int) -> float:
    """Processor seconds of one evening."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(8.0, (accounts, 196)).astype(float)
    group = rng.integers(0, 20, accounts)
    start = time.process_time()
    anomalies(counts, group, DAY, 20)
    return time.process_time() - start


def measure(histories: int) -> dict[str, Any]:
    return {
        "normal": one_week(histories, closed=False),
        "holiday": one_week(histories, closed=True),
        "half": decline(np.full(8, 0.5), range(1, 3)),
        "six_percent_a_week": decline(0.94 ** np.arange(1, 17), range(1, 3)),
        "false_declines_per_account_and_year": false_alarms(range(6, 8)),
        "cpu_seconds": {str(n): cost(n) for n in (2_000, 20_000)},
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--histories", type=int, default=50)
    asked.add_argument("--json", action="store_true")
    told = asked.parse_args()
    found = measure(told.histories)
    if told.json:
        print(json.dumps(found, indent=1))
        return
    for week in ("normal", "holiday"):
        print(f"{week} week, mean of {told.histories} histories")
        for rule, row in found[week].items():
            print(
                f"  {rule:24} false among flagged {row['false']:.3f}  found {row['power']:.2f}  "
                f"flags where nothing fell {row['flags_of_nothing']:.1f} ({row['share_of_nothing']:.1%})"
            )
    for name, what in (("half", "half, 8 weeks"), ("six_percent_a_week", "6 % a week, 16 weeks")):
        print(f"{what:22} one-week rule {found[name]['one_week']:.2f}  CUSUM {found[name]['cusum']:.2f}")
    print(f"false declines per account and year {found['false_declines_per_account_and_year']:.2f}")
    for accounts, seconds in found["cpu_seconds"].items():
        print(f"{int(accounts):,} accounts: {seconds:.2f} s of processor")


if __name__ == "__main__":
    main()
