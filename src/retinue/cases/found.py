"""What was computed for cases, beside what they expect."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from retinue.cases.reading import Told
from retinue.cases.results import Failure
from retinue.cases.tables import Pass, day_of, prefixed
from retinue.errors import Place
from retinue.insight.stability import grade, shown
from retinue.project.cases import Expected
from retinue.project.scorecards import BANDS
from retinue.run import layers
from retinue.run.history import New, Past
from retinue.run.kept import Kept
from retinue.warehouse import tables
from retinue.warehouse.compute import Computed
from retinue.warehouse.engine import Engine

#: Account (as it is in the tables) and date.
Key = tuple[str, date]

_DETAILS = ("metrics", "components", "measures")


def pulses(told: Sequence[Told]) -> pa.Table:
    """What people said in the cases, as the engine takes it."""
    rows = [
        {
            "account_id": prefixed(number, one.account),
            "pulse": one.pulse,
            "value": one.value,
            "day": _day(one.on, case),
            "said_at": _midnight(_day(one.on, case)),
            "expires_on": layers.first_day_without(_day(one.expires_on, case)),
        }
        for number, case in enumerate(told)
        for one in case.case.pulses
    ]
    kinds = [("account_id", pa.string()), ("pulse", pa.string()), ("value", pa.float64())]
    clocks = [("day", pa.date32()), ("said_at", pa.timestamp("us")), ("expires_on", pa.date32())]
    return pa.Table.from_pylist(rows, schema=pa.schema([*kinds, *clocks]))


def _day(text: str | None, told: Told) -> Any:
    return None if text is None else date.fromisoformat(day_of(text, told.case.dates[-1])[:10])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - times of the store are naive UTC


def failures(engine: Engine, ready: Pass, computed: Computed) -> list[list[Failure]]:
    """What differs, by case."""
    expected = [told for one in ready.told for *_, told in one.case.expected()]
    wanted = {name for told in expected if isinstance(told, Expected) for name in told.model_fields_set}
    snapshots = _snapshots(engine, ready, computed)
    details = _details(engine, computed, wanted & set(_DETAILS))
    rejected = _rejections(engine, ready, computed)
    return [
        [*rejected[number], *_compared(one, number, snapshots, details)]
        for number, one in enumerate(ready.told)
    ]


def _rejections(engine: Engine, ready: Pass, computed: Computed) -> list[list[Failure]]:
    """Sources with more or fewer rejected rows than a case expects, with the first reason."""
    rows: dict[tuple[int, str], list[tuple[Place, str]]] = {}
    for row in engine.arrow(computed.facts.rejected.order_by("source", "row")).to_pylist():
        number, place = ready.origins[row["source"]][row["row"] - 1]
        # Names of accounts are shown as the case has them.
        reason = row["reason"].replace(f'"{number}: ', '"')
        rows.setdefault((number, row["source"]), []).append((place, reason))
    found: list[list[Failure]] = []
    for number, told in enumerate(ready.told):
        mine: list[Failure] = []
        expected = told.case.rejected
        for source in sorted({s for n, s in rows if n == number} | set(expected)):
            bad = rows.get((number, source), [])
            if len(bad) != expected.get(source, 0):
                place = bad[0][0] if bad else told.place("rejected", source)
                got = f"{len(bad)} ({bad[0][1]})" if bad else 0
                mine.append(Failure(f"rejected rows of {source}", expected.get(source, 0), got, place))
        found.append(mine)
    return found


def _snapshots(engine: Engine, ready: Pass, computed: Computed) -> dict[Key, dict[str, Any]]:
    formulas = {formula.fingerprint: formula for formula in computed.formulas}
    table = tables.snapshots(engine, computed)
    first = computed.spine.dates[computed.positions[0]]
    new = New.of(engine, computed, table, formulas, Past(None, None), Kept.empty(), first)
    # Stability is a fold over the dates of the case, whatever else is on the grid.
    ids = new.account_ids.to_pylist()
    days = [{layers.day_number(day) for day in one.case.dates} for one in ready.told]
    mine = np.array(
        [
            number is not None and day in days[number]
            for number, day in zip(
                (_number(ids[ix]) for ix in new.rows.ix.tolist()), new.rows.day.tolist(), strict=True
            )
        ],
        dtype=bool,
    )
    rows = new.rows.of(mine)
    settled, _ = new.stabilised(rows)
    overrides = _overrides(ready.told)
    if overrides.num_rows:
        settled = layers.overridden(new.before, settled, overrides, new.index, new.cards, ready.project)
    staged = computed.rows.join(computed.facts.accounts.select("ix", "account_id"), "ix")
    stages = engine.arrow(staged.select("account_id", "as_of", "stage")).to_pylist()
    stage = {(row["account_id"], row["as_of"]): row["stage"] for row in stages}
    bands = [*BANDS, None]
    grades = ready.project.settings.grades
    found = {}
    for n, row in enumerate(table.filter(pa.array(mine)).to_pylist()):
        score, formula = row["computed"], row["formula"]
        key = (row["account_id"], row["as_of"])
        found[key] = {
            **row,
            "score": score,
            "shown": None if score is None else shown(score),
            "grade": None if score is None else grade(score, grades),
            "published": _or_none(settled.published[n]),
            "effective": _or_none(settled.effective[n]),
            "band": bands[int(settled.band[n])],
            "published_band": bands[int(settled.published_band[n])],
            "stage": stage.get(key),
            "scorecard": None if formula is None else computed.formulas[formula].scorecard.scorecard,
        }
    return found


def _number(account: str) -> int | None:
    """The number of the case that an account belongs to; None for that of the feeds."""
    number = account.partition(": ")[0]
    return int(number) if number.isdecimal() else None


def _overrides(told: Sequence[Told]) -> pa.Table:
    rows = [
        {
            "id": position,
            "account_id": prefixed(number, one.account),
            "kind": one.kind,
            "value": one.value,
            "starts_on": _day(one.on, case),
            "expires_on": _day(one.expires_on, case),
            # Said long before, so that it holds from its own first day.
            "said_at": _midnight(date(1970, 1, 2)),
            "withdrawn_at": None,
        }
        for number, case in enumerate(told)
        for position, one in enumerate(case.case.overrides)
    ]
    return pa.Table.from_pylist(rows)


@dataclass(frozen=True)
class _Value:
    """A number and its state; a case may expect either."""

    number: float | None
    state: str

    def beside(self, expected: Any) -> Any:
        if expected is not None and (isinstance(expected, str) or self.number is None):
            return self.state
        return self.number


def _details(engine: Engine, computed: Computed, wanted: set[str]) -> dict[str, dict[Key, dict[str, Any]]]:
    """Metrics, components and measures by account and date, where any is asked for."""
    found: dict[str, dict[Key, dict[str, Any]]] = {}
    for name, pieces in tables.monthly(engine, computed) if wanted else ():
        rows = [row for piece in pieces for row in piece.to_pylist()]
        for row in rows if name in wanted else ():
            here = found.setdefault(name, {}).setdefault((row["account_id"], row["as_of"]), {})
            if name == "components":
                here[row["component"]] = row["points"]
            else:
                number = row["value"] if name == "metrics" else row["points"]
                here[row["metric"]] = _Value(number, row["state"])
            if name == "measures":
                here[f"{row['component']}.{row['metric']}"] = here[row["metric"]]
    return found


def _compared(
    told: Told,
    number: int,
    snapshots: Mapping[Key, Mapping[str, Any]],
    details: Mapping[str, Mapping[Key, Mapping[str, Any]]],
) -> list[Failure]:
    found: list[Failure] = []
    for path, account, day, expected in told.case.expected():
        key = (prefixed(number, account), day)
        got = snapshots.get(key)
        if isinstance(expected, str) or got is None:
            words = ("absent", "there") if got is not None else ("there", "absent")
            if isinstance(expected, str) != (got is None):
                found.append(Failure("the account", *words, told.place(*path), account, day))
            continue
        for name in (name for name in Expected.model_fields if name in expected.model_fields_set):
            value = getattr(expected, name)
            pairs: list[tuple[str, tuple[str, ...], Any, Any]] = [(name, (name,), value, got.get(name))]
            if name in _DETAILS:
                known = details.get(name, {}).get(key, {})
                pairs = [
                    (f"{name}: {one}", (name, one), v, known.get(one, "not there"))
                    for one, v in value.items()
                ]
            for what, below, wanted, one in pairs:
                here = one.beside(wanted) if isinstance(one, _Value) else one
                if not _same(wanted, here, told.case.tolerance):
                    found.append(Failure(what, wanted, here, told.place(*path, *below), account, day))
    return found


def _same(expected: Any, got: Any, tolerance: float) -> bool:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (expected, got))
    # The last bits of a difference are not what a person means by a tolerance.
    return abs(expected - got) <= tolerance + 1e-9 if numbers else bool(expected == got)


def _or_none(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
