"""Numbers changed where they stand in YAML: all else stays, to the letter."""

from __future__ import annotations

import pytest

from retinue.errors import ProjectError
from retinue.project.rewrite import rewritten

TEXT = """\
# Two cards in one file: größer, kleiner.
scorecard: other
components: {use: {weight: 1, measures: {a: {weight: 3, curve: [[0, 0], [1, 100]]}}}}
---
scorecard: main   # the one
label: "Größe ${X}"
components:
  use:
    weight: 30      # by gut feeling
    measures:
      a: {weight: 3, curve: [[0, 0], [1, 100]]}
      b:
        # without a weight
        curve: [[0, 0], [1, 100]]
  pay:
    measures:
      c: {curve: [[0, 0], [1, 100]]}
bands: {at_risk: 0, watch: 40, healthy: 70}
"""


def main(**changes: object) -> list[str]:
    found = rewritten(
        TEXT, "scorecard", "main", {tuple(k.split("__")): v for k, v in changes.items()}, "f.yaml"
    )
    before, after = TEXT.splitlines(), found.splitlines()
    return [line for line in after if line not in before]


def test_only_the_number_changes() -> None:
    assert main(components__use__weight=41.25) == ["    weight: 41.25      # by gut feeling"]
    assert main(components__use__measures__a__weight=0.5) == [
        "      a: {weight: 0.5, curve: [[0, 0], [1, 100]]}"
    ]
    assert main(bands__watch=33.3, bands__healthy=61.0) == ["bands: {at_risk: 0, watch: 33.3, healthy: 61}"]


def test_what_is_not_there_is_put_in() -> None:
    assert main(components__pay__weight=2.0) == ["    weight: 2"]
    assert main(components__pay__measures__c__weight=7.0) == [
        "      c: {weight: 7, curve: [[0, 0], [1, 100]]}"
    ]
    assert main(components__use__measures__b__weight=7.0) == ["        weight: 7"]
    assert main(stability__margin=4.0) == ["stability: {margin: 4}"]


def test_new_keys_stand_below_the_name_in_their_order() -> None:
    changes = {("fitted",): {"until": "2026-01-31", "events": 120}, ("stability", "margin"): 4.0}
    found = rewritten(TEXT, "scorecard", "main", changes, "f.yaml").splitlines()
    at = found.index("scorecard: main   # the one")
    assert found[at + 1 : at + 3] == [
        "fitted: {until: 2026-01-31, events: 120}",
        "stability: {margin: 4}",
    ]
    assert found[2] == TEXT.splitlines()[2]


def test_shared_numbers_are_refused() -> None:
    shared = "scorecard: main\ncomponents:\n  a: {weight: &w 3}\n  b: {weight: *w}\n"
    with pytest.raises(ProjectError, match="cannot be changed in place"):
        rewritten(shared, "scorecard", "main", {("components", "b", "weight"): 5.0}, "f.yaml")


def test_a_card_that_is_not_there_is_told() -> None:
    with pytest.raises(ProjectError, match="no scorecard gone"):
        rewritten(TEXT, "scorecard", "gone", {}, "f.yaml")
