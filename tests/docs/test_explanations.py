"""The worked examples of the explanation pages are what the code computes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from docs import pages
from retinue.insight import stability

EXPLANATION = pages.ROOT / "docs" / "explanation"
BANDS = ["at_risk", "watch", "healthy"]


def rows(page: str, first: str) -> list[list[str]]:
    """The cells of the table whose heading starts with `first`, without the rule below it."""
    lines = (EXPLANATION / page).read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return [table[0], *table[2:]]


def test_the_example_of_stability_is_what_the_fold_publishes():
    told = {name: cells for name, *cells in rows("stability.md", "day")}
    computed = np.array([float(cell) for cell in told["computed"]])
    n = len(computed)
    folded = stability.fold(
        stability.Days(
            ix=np.zeros(n, np.int64),
            as_of=np.array([int(cell) for cell in told["day"]]),
            scored=np.ones(n, bool),
            computed=computed,
            cap=np.full(n, np.nan),
            held=np.zeros(n, bool),
            reset=np.zeros(n, bool),
            old_computed=np.full(n, np.nan),
            rules=stability.Rules(
                edges=np.tile([40.0, 70.0], (n, 1)),
                deadband=np.full(n, 3.0),
                margin=np.full(n, 3.0),
                down=np.full(n, 3.0),
                up=np.full(n, 7.0),
            ),
        )
    )
    assert folded.published.tolist() == [float(cell) for cell in told["published"]]
    assert [BANDS[band] for band in folded.band] == told["band"]


def test_the_example_of_a_score_adds_up():
    measures = rows("scores.md", "component (weight)")[1:]
    shares, contributions, declared = [], [], 0.0
    for component, measure, points, freshness, share, normalised, contribution in measures:
        told, part = share.split(" = ")
        product = np.prod([_fraction(factor) for factor in told.split(" x ")])
        assert product == pytest.approx(float(part))
        assert told.startswith(re.findall(r"\d+", component)[-1])
        assert told.endswith(f"x {freshness}")
        fraction, weight = normalised.split(" = ")
        assert _fraction(fraction) == pytest.approx(float(weight))
        assert float(weight) * float(points) == pytest.approx(float(contribution))
        shares.append(float(part))
        contributions.append(float(contribution))
        declared += product / float(freshness)
        assert measure
    text = (EXPLANATION / "scores.md").read_text(encoding="utf-8")
    assert f"sum of the contributions, {sum(contributions):g}." in text
    assert f"{sum(shares):g}/{declared:g} = {sum(shares) / declared:g}" in text
    assert f"base {sum(contributions):g} + adjustment {40 - sum(contributions):g} = computed 40" in text


def _fraction(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)
