"""What a plan says: the effect of changed declarations, on every account and in sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from retinue.project.scorecards import BANDS
from retinue.run.differences import Declared
from retinue.run.layers import floats_of

#: Rows and columns of a migration: bands, worst first, then without a score, then not there at all.
STANDINGS = (*BANDS, "not_scored", "absent")
#: Points that count as none: sums of floats differ in their last digits.
_NOTHING = 1e-9
#: What stands at either end of an account's effect.
ENDS = ("before", "after")
#: What makes an effect, beside points.
COMPARED = ("status", "scorecard", "band")
#: What is known of an account at either end.
SIDE = ("status", "scorecard", "fingerprint", "score", "band", "base", "adjustment", "computed", "published")
Array = NDArray[Any]


@dataclass(frozen=True)
class Migration:
    """Accounts, and their ARR, by where they stand as published (rows) and as planned (columns), in the
    order of `STANDINGS`. `unknown` counts accounts whose ARR is not known."""

    accounts: Array
    arr: Array
    unknown: int

    @property
    def worse(self) -> float:
        """ARR of scored accounts that move to a worse band."""
        return float(np.tril(self.arr[:3, :3], -1).sum())

    @property
    def better(self) -> float:
        return float(np.triu(self.arr[:3, :3], 1).sum())

    def to_dict(self) -> dict[str, Any]:
        return {
            "standings": list(STANDINGS),
            "accounts": self.accounts.tolist(),
            "arr": self.arr.tolist(),
            "arr_unknown": self.unknown,
            "arr_to_worse": self.worse,
            "arr_to_better": self.better,
        }


@dataclass(frozen=True)
class Move:
    """One account that the plan moves. Scores are effective ones, `change` = `by_data` + `by_change`; None
    where there is no score at one end. `parts` are the components and what comes after them (caps
    and floors, stability, overrides), with what each adds before and after; they sum to the scores.
    """

    account_id: str
    name: str | None
    owner: str | None
    arr: float | None
    before: dict[str, Any]
    after: dict[str, Any]
    change: float | None
    by_data: float | None
    by_change: float | None
    parts: tuple[tuple[str, float | None, float | None], ...]

    @property
    def moved_parts(self) -> list[tuple[str, float]]:
        """What the change of the score consists of, largest first, without what shows as nought."""
        moved = [(name, (after or 0.0) - (before or 0.0)) for name, before, after in self.parts]
        return sorted((one for one in moved if abs(one[1]) >= 0.05), key=lambda one: (-abs(one[1]), one[0]))

    def to_dict(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "parts"}
        parts = [{"part": name, "before": before, "after": after} for name, before, after in self.parts]
        return {**told, "parts": parts}


@dataclass(frozen=True)
class Transition:
    """A band that would change. `kind` is `recalibrated` where the account's formula is another one, which
    raises no alert; else `data`, as late rows and changed sources do."""

    account_id: str
    name: str | None
    arr: float | None
    kind: str
    from_band: str
    to_band: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class BackTest:
    """The trial of the published declarations and that of the project's, on the same history."""

    before: Any
    after: Any
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.to_dict() if self.before else None,
            "after": self.after.to_dict() if self.after else None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Plan:
    """What would change on the last published date.

    `effects` has one row per account: account_id, name, owner, arr, `before_*` and `after_*`
    (status, scorecard, fingerprint, score, band, base, adjustment, computed, published),
    `restated_score` and `restated_band` (the published declarations over today's data), change,
    by_data, by_change. `components` has account_id, component, before, after: contributions. `told_apart`
    is false where the published declarations cannot be scored any more: then all of the change counts
    as the plan's.
    """

    project: str
    as_of: date
    run_id: str
    currency: str | None
    declared: Declared | None
    effects: pa.Table
    components: pa.Table
    told_apart: bool
    back_test: BackTest | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def changes(self) -> bool:
        """Whether the declarations score anything otherwise."""
        by_formula = self.declared is None or self.declared.scores_differently
        return by_formula or bool(self.changed.num_rows)

    @property
    def changed(self) -> pa.Table:
        """The rows of `effects` that the declarations change, in points, band, status or scorecard."""
        told = self.effects
        points = pc.fill_null(pc.greater(pc.abs(told["by_change"]), _NOTHING), False)
        others = [differ(told[f"after_{name}"], told[f"restated_{name}"]) for name in COMPARED]
        mask = points
        for other in others:
            mask = pc.or_(mask, other)
        return told.filter(mask)

    @property
    def late(self) -> int:
        """Accounts that late data alone would move."""
        moved = pc.fill_null(pc.greater(pc.abs(self.effects["by_data"]), _NOTHING), False)
        return int(pc.sum(moved).as_py() or 0)

    def migration(self) -> Migration:
        places = [_standing(self.effects[f"{side}_band"], self.effects[f"{side}_status"]) for side in ENDS]
        size = len(STANDINGS)
        flat = places[0] * size + places[1]
        arr = floats_of(self.effects["arr"])
        return Migration(
            np.bincount(flat, minlength=size * size).reshape(size, size),
            np.bincount(flat, np.nan_to_num(arr), minlength=size * size).reshape(size, size),
            int(np.isnan(arr).sum()),
        )

    def moves(self, order: str = "points", limit: int | None = None) -> list[Move]:
        """Accounts that the declarations change, by the size of the move or by ARR, largest first."""
        rows = self.changed
        size = np.nan_to_num(np.abs(floats_of(rows["by_change"])), nan=np.inf)
        money = np.nan_to_num(floats_of(rows["arr"]), nan=-np.inf)
        first, second = (size, money) if order == "points" else (money, size)
        # Ids are sorted already, and stay so where all else is the same.
        chosen = np.lexsort((-second, -first))[:limit]
        return self._moves(rows.take(pa.array(chosen)))

    def standing(self, status: str) -> list[Move]:
        """Accounts that become scored (`scored`), or are no longer (`not_scored`)."""
        return self._moves(self._becoming(status))

    def _becoming(self, status: str) -> pa.Table:
        told = self.changed
        is_so = pc.fill_null(pc.equal(told["after_status"], status), False)
        was_so = pc.fill_null(pc.equal(told["before_status"], status), False)
        return told.filter(pc.and_(is_so, pc.invert(was_so)))

    def switched(self) -> list[tuple[str | None, str | None, int]]:
        """(scorecard before, scorecard after, accounts) of accounts that change scorecard."""
        told = self.effects
        other = differ(told["before_scorecard"], told["after_scorecard"])
        there = pc.and_(pc.is_valid(told["before_status"]), pc.is_valid(told["after_status"]))
        rows = told.filter(pc.and_(other, there)).group_by(["before_scorecard", "after_scorecard"])
        found = rows.aggregate([([], "count_all")]).to_pylist()
        pairs = [(row["before_scorecard"], row["after_scorecard"], row["count_all"]) for row in found]
        return sorted(pairs, key=lambda one: (-one[2], str(one[0]), str(one[1])))

    def transitions(self) -> list[Transition]:
        """Bands that the next run would change if nothing else happens, by ARR, largest first."""
        told = self.effects
        both = pc.and_(pc.is_valid(told["before_band"]), pc.is_valid(told["after_band"]))
        rows = told.filter(pc.and_(both, differ(told["before_band"], told["after_band"])))
        rows = rows.take(
            pa.array(np.argsort(-np.nan_to_num(floats_of(rows["arr"]), nan=-1.0), kind="stable"))
        )
        return [
            Transition(
                row["account_id"],
                row["name"],
                row["arr"],
                "data" if row["before_fingerprint"] == row["after_fingerprint"] else "recalibrated",
                row["before_band"],
                row["after_band"],
            )
            for row in rows.to_pylist()
        ]

    def counts(self) -> dict[str, int]:
        told = self.effects
        return {
            "accounts": int(pc.sum(pc.is_valid(told["after_status"])).as_py() or 0),
            "changed": self.changed.num_rows,
            "moved_band": len(self.transitions()),
            "newly_scored": self._becoming("scored").num_rows,
            "no_longer_scored": self._becoming("not_scored").num_rows,
            "moved_by_late_data": self.late,
        }

    def to_dict(self) -> dict[str, Any]:
        return {
            "project": self.project,
            "as_of": self.as_of.isoformat(),
            "compared_with_run": self.run_id,
            "changes": self.changes,
            "counts": self.counts(),
            "declared": self.declared.to_dict() if self.declared else None,
            "migration": self.migration().to_dict(),
            "switched": [dict(zip(("from", "to", "accounts"), one, strict=True)) for one in self.switched()],
            "transitions": [one.to_dict() for one in self.transitions()],
            "accounts": [one.to_dict() for one in self.moves()],
            "told_apart": self.told_apart,
            "back_test": self.back_test.to_dict() if self.back_test else None,
            "notes": list(self.notes),
        }

    def _moves(self, rows: pa.Table) -> list[Move]:
        ids = rows["account_id"].combine_chunks()
        parts: dict[str, list[tuple[str, float | None, float | None]]] = {one: [] for one in ids.to_pylist()}
        own = self.components.filter(pc.is_in(self.components["account_id"], value_set=ids))
        for row in own.to_pylist():
            parts[row["account_id"]].append((row["component"], row["before"], row["after"]))
        return [_move(row, parts[row["account_id"]]) for row in rows.to_pylist()]


def differ(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether texts differ, where none is a value too."""
    return pc.not_equal(pc.fill_null(one, ""), pc.fill_null(other, ""))


def _standing(band: pa.ChunkedArray, status: pa.ChunkedArray) -> Array:
    absent = pc.if_else(pc.is_null(status), pa.scalar("absent"), pa.scalar("not_scored"))
    told = pc.coalesce(band, absent)
    return np.asarray(pc.index_in(told, value_set=pa.array(STANDINGS)).to_numpy(), np.int64)


def _move(row: dict[str, Any], components: list[tuple[str, float | None, float | None]]) -> Move:
    sides = {side: {name: row[f"{side}_{name}"] for name in SIDE} for side in ENDS}
    steps: list[tuple[str, float | None, float | None]] = []
    for name, high, low in (
        ("caps and floors", "computed", "base"),
        ("stability", "published", "computed"),
        ("override", "score", "published"),
    ):
        both = [_step(sides[side][high], sides[side][low]) for side in ENDS]
        if any(abs(one or 0.0) > _NOTHING for one in both):
            steps.append((name, both[0], both[1]))
    return Move(
        account_id=row["account_id"],
        name=row["name"],
        owner=row["owner"],
        arr=row["arr"],
        before={
            name: sides["before"][name] for name in ("status", "scorecard", "fingerprint", "score", "band")
        },
        after={
            name: sides["after"][name] for name in ("status", "scorecard", "fingerprint", "score", "band")
        },
        change=row["change"],
        by_data=row["by_data"],
        by_change=row["by_change"],
        parts=(*components, *steps),
    )


def _step(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low
