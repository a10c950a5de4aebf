"""The report of a plan: what changed declarations would do, in one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from retinue.report.axes import Axis, Bar
from retinue.report.charts import forest
from retinue.report.pages import band_word, est, num, pct, rendered
from retinue.report.shares import histogram, matrix
from retinue.report.validation import VERDICTS
from retinue.run.planned import STANDINGS
from retinue.words import declared_value

if TYPE_CHECKING:
    from retinue.run.planned import BackTest, Migration, Plan

#: How many accounts a page lists; all of them are in the JSON.
MOST = 200
_SIGNS = {"added": "+ new", "removed": "- gone", "changed": "~ changed", "words": "~ words only"}
_SECTIONS = (
    ("declarations", "Declarations"),
    ("bands", "Bands"),
    ("accounts", "Accounts"),
    ("standing", "Newly scored, no longer scored"),
    ("trial", "Back-test"),
)


def page(found: Plan) -> str:
    """The plan as one HTML file."""
    return rendered("plan", **_told(found))


def body(found: Plan) -> Markup:
    """The same as a piece of another page, which has our style sheets."""
    return Markup(rendered("plan_body", **_told(found)))  # noqa: S704 - the template escapes what it is told


def _told(found: Plan) -> dict[str, Any]:
    moves = found.moves("points", MOST)
    told = found.declared
    standing = {name: found.standing(name) for name in ("scored", "not_scored")}
    there = {
        "declarations": bool(told),
        "bands": True,
        "accounts": bool(moves),
        "standing": any(standing.values()),
        "trial": found.back_test is not None,
    }
    transitions = found.transitions()
    return {
        "p": found,
        "counts": found.counts(),
        "cards": [one for one in told.scorecards if one.kind != "same"] if told else [],
        "told": told,
        "signs": _SIGNS,
        "value": declared_value,
        "migration": found.migration(),
        "quiet": sum(one.kind == "recalibrated" for one in transitions),
        "loud": [one for one in transitions if one.kind != "recalibrated"],
        "moves": moves,
        "standing": standing,
        "most": MOST,
        "trial": _trial(found.back_test) if found.back_test else [],
        "sections": [one for one in _SECTIONS if there[one[0]]],
        "charts": _charts(found),
    }


def _charts(found: Plan) -> dict[str, Markup]:
    moves = found.migration()
    scores = {side: found.effects[f"{side}_score"].to_pylist() for side in ("before", "after")}
    names = {"before": "published", "after": "planned"}
    return {
        "accounts": _matrix("Accounts", moves, moves.accounts),
        "arr": _matrix("ARR", moves, moves.arr) if moves.arr.any() else Markup(),
        "scores": histogram(
            "Scores as published and as planned",
            list(range(0, 101, 5)),
            {names[side]: _binned(values) for side, values in scores.items()},
            x=Axis("score"),
            y_name="share of accounts",
        ),
        "auc": _auc(found.back_test),
    }


def _matrix(title: str, moves: Migration, cells: Any) -> Markup:
    there = [n for n in range(len(STANDINGS)) if moves.accounts[n].sum() or moves.accounts[:, n].sum()]
    names = [_standing(STANDINGS[n]) for n in there]
    rows = [[float(cells[n, m]) for m in there] for n in there]
    return matrix(title, names, names, rows, corner="published ↓ planned →", quiet_diagonal=True)


def _standing(name: str) -> str:
    return {"not_scored": "○ not scored", "absent": "not there"}.get(name) or band_word(name)


def _binned(values: Sequence[float | None]) -> list[float]:
    found = [0.0] * 20
    for value in values:
        if value is not None:
            found[min(19, max(0, int(value / 5)))] += 1
    return found


def _auc(told: BackTest | None) -> Markup:
    if told is None:
        return Markup()
    rows = [
        Bar(name, one.report.auc.value, one.report.auc.low, one.report.auc.high, kind=kind)
        for name, one, kind in (("published", told.before, "reference"), ("planned", told.after, "chosen"))
        if one is not None
    ]
    if not rows:
        return Markup()
    return forest("AUC of both", rows, axis=Axis("AUC", digits=3), reference=0.5, reference_name="coin")


def _trial(told: BackTest) -> list[tuple[str, str, str]]:
    """The figures of both trials, side by side."""
    sides = [_figures(one.report) if one is not None else {} for one in (told.before, told.after)]
    return [(name, *(side.get(name, "-") for side in sides)) for name in (sides[0] or sides[1])]  # type: ignore[misc]


def _figures(report: Any) -> dict[str, str]:
    red, green = report.band("red"), report.band("green")
    early = {one.days: one.green for one in report.before}
    missed = [bar.name for bar in report.bars if bar.passed is False]
    return {
        "Verdict": VERDICTS.get(report.verdict, (report.verdict, ""))[0],
        "Rows counted": f"{report.observations:,}, {report.events:,} with the outcome",
        "AUC": est(report.auc, 3),
        "Average precision": est(report.average_precision, 3),
        "Outcome rate of red": est(red.rate, 1, percent=True),
        "Red against all": est(red.lift),
        "Share of red": pct(red.share),
        "Share of green": pct(green.share),
        "Outcome rate of green": est(green.rate, 1, percent=True),
        **{
            f"Green {days} days before a loss": est(one, 0, percent=True)
            for days, one in sorted(early.items())
        },
        "Red when lost": est(report.lead_time.capture, 0, percent=True),
        "Flaps per account and year": num(report.movement.flaps_per_account_year),
        "Turns red in a week": num(report.movement.turns_red_per_week, 1),
        "Bars missed": ", ".join(missed) or "none",
    }
