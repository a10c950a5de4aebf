"""The simulated quarter is the same for the same seed, and is published as it was drawn."""

from __future__ import annotations

from pathlib import Path

from tests.alerts.quarter import draw


def test_the_same_seed_draws_the_same_quarter():
    one, same, other = draw(50, 40, seed=7), draw(50, 40, seed=7), draw(50, 40, seed=8)
    last = len(one.dates) - 1
    assert one.facts == same.facts != other.facts
    assert one.seen(last, last) == same.seen(last, last) != other.seen(last, last)
    assert one.said == same.said


def test_what_is_drawn_is_what_is_published_also_where_a_run_tells_dates_anew(tmp_path: Path):
    quarter = draw(30, 40, seed=3)
    workspace = quarter.open(tmp_path / "co")
    run = min(quarter.restated)
    for place in range(run + 1):
        quarter.publish(workspace, place)
    published = workspace.published()
    assert published.dates() == tuple(quarter.dates[: run + 1])
    for place in (0, run - 1, run):
        day = quarter.dates[place]
        rows = published.table("snapshots", dates=[day]).to_pylist()
        seen = quarter.seen(place, run)
        assert {r["account_id"]: (r["computed"], r["published_band"], r["held"]) for r in rows} == {
            account: (one.computed, one.band, one.held) for account, one in seen.items()
        }
    anew = run - 1
    assert quarter.seen(anew, run) != quarter.seen(anew, anew)
    workspace.store.close()
