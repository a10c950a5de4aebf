"""Values of past Sundays, kept because the references of cohort curves rest on them.

What is kept of facts no longer tells them. A value as of a day never changes, so each is kept by
the declarations that it comes from, and a new one simply has no values yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis import _

from retinue.errors import StoreError
from retinue.warehouse.engine import Engine
from retinue.warehouse.kept.state import Rebuild
from retinue.warehouse.metrics.series import Newest, Series
from retinue.warehouse.spine import Spine


@dataclass(frozen=True)
class Weeks:
    """Which series to take from earlier runs, and which to keep.

    `series` has, per series, the name of its column, `old` those that facts no longer tell at the
    places `before` on the grid. `known` does: ix, pos and these columns (`<name> day` too for the
    latest values). `record` are the places whose values are to be kept.
    """

    series: Mapping[Series, str]
    old: Mapping[Series, str]
    known: ir.Table | None
    before: frozenset[int]
    record: frozenset[int]

    def placed(self, table: ir.Table, names: Mapping[Series, str]) -> ir.Table:
        """`table` (ix, pos, a column per series) with the values of earlier runs put in."""
        if self.known is None or not self.before:
            return table
        told = self.known.rename({f"kept {c}": c for c in self.known.columns if c not in ("ix", "pos")})
        met = table.left_join(told, ["ix", "pos"]).drop("ix_right", "pos_right")
        old = met.pos.isin(sorted(self.before))
        columns: dict[str, ir.Value] = {}
        for series, column in self.old.items():
            for mine, kept in _columns(series, names[series], column):
                columns[mine] = ibis.ifelse(old, met[f"kept {kept}"].cast(met[mine].type()), met[mine])
        return met.mutate(**columns).drop(*(c for c in met.columns if c.startswith("kept ")))

    def told(self, engine: Engine, table: ir.Table, names: Mapping[Series, str]) -> ir.Table | None:
        """What is to be kept of `table`."""
        if not self.record or not self.series:
            return None
        rows = table.filter(_.pos.isin(sorted(self.record)))
        columns = {
            kept: rows[mine]
            for series, column in self.series.items()
            for mine, kept in _columns(series, names[series], column)
        }
        return engine.store("weeks", rows.select("ix", "as_of", **columns))


def _columns(series: Series, mine: str, kept: str) -> list[tuple[str, str]]:
    if isinstance(series, Newest):
        return [(f"{mine}_value", kept), (f"{mine}_day", f"{kept} day")]
    return [(mine, kept)]


def name(series: Series, made_for: str) -> str:
    """The column of a series: it changes with its declaration, and with that of its source."""
    return hashlib.sha256(f"{made_for} {series!r}".encode()).hexdigest()[:20]


def load(
    engine: Engine, folder: Path, grid: Spine, accounts: ir.Table, series: Mapping[Series, str], exact: date
) -> ir.Table:
    """The kept values of the dates of the grid before `exact`: ix, pos and the columns of `series`.

    Raises Rebuild where not all accounts that are alive then have them.
    """
    path = _path(folder)
    if path is None:
        raise Rebuild("values of past Sundays were not kept")
    kept = engine.con.read_parquet(str(path))
    wanted = [kept_name for one, column in series.items() for _mine, kept_name in _columns(one, "", column)]
    if not set(wanted) <= set(kept.columns):
        raise Rebuild("a cohort curve asks for values that were not kept")
    ids = accounts.select("ix", "account_id")
    rows = grid.rows.filter(grid.rows.as_of < ibis.literal(exact))
    known = rows.join(ids, "ix").join(kept, ["account_id", "as_of"]).select("ix", "pos", *wanted)
    stored = engine.store("weeks", known)
    if engine.count(rows) != engine.count(stored):
        raise Rebuild("an account of the past has come that was not known then")
    return stored


def save(engine: Engine, folder: Path, told: ir.Table, accounts: ir.Table, known: bool, oldest: date) -> None:
    """Keep `told` (ix, as_of and columns), with what was kept from `oldest` on if it was `known`.

    Raises StoreError if the disk does not take it.
    """
    columns = [c for c in told.columns if c != "ix"]
    rows = told.join(accounts.select("ix", "account_id"), "ix").select("account_id", *columns)
    before = _path(folder)
    if known and before is not None:
        kept = engine.con.read_parquet(str(before))
        if set(columns) <= set(kept.columns):
            old = kept.filter(kept.as_of >= ibis.literal(oldest)).anti_join(rows, ["account_id", "as_of"])
            rows = rows.union(
                old.select("account_id", *(old[c].cast(rows[c].type()).name(c) for c in columns))
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / ".weeks.parquet"
        engine.to_parquet(rows, partial)
        digest = _digest(partial)
        partial.replace(folder / f"weeks-{digest}.parquet")
    except OSError as error:
        raise StoreError(
            f"cannot keep what the next run needs in {folder}: {error.strerror}", hint="free some disk"
        ) from None
    for path in folder.glob("weeks-*.parquet"):
        if path.stem != f"weeks-{digest}":
            with suppress(OSError):
                path.unlink()


def _path(folder: Path) -> Path | None:
    """The file that is whole."""
    found: Sequence[Path] = sorted(folder.glob("weeks-*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    for path in reversed(found):
        if path.stem == f"weeks-{_digest(path)}":
            return path
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
