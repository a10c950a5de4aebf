"""What many accounts have in common when scores fall: components, and kinds of things that happen.

Each finding is one of many that were looked at, so chance is held down by the false discovery rate
(Benjamini and Hochberg 1995, J. R. Stat. Soc. B 57). Findings are associations.
"""

from __future__ import annotations

import dataclasses
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retinue.desk.movement import Paired
from retinue.desk.panel import Floats, Frame, Ints
from retinue.project.project import Project
from retinue.run.layers import floats_of
from retinue.store.published.snapshots import Published

#: Share of findings that may be due to chance.
RATE = 0.05
#: Accounts in a group, and in the rest, below which nothing is said.
ENOUGH = 30
#: Points that a component must have fallen more than elsewhere to be worth a line.
WORTH = 2.0
#: Part of the changes left out at either end of a mean.
TRIM = 0.1
#: Days that are lately, and days before them that they are held against.
LATELY, BEFORE = 28, 84
#: Accounts that must have had something lately for it to be shared.
SEVERAL = 5
#: Findings that are kept.
MOST = 12


@dataclass(frozen=True, slots=True)
class Falling:
    """A component whose points fell in one group: the means (a tenth left out at either end) of the change
    in the group and in all others, and the smallest false discovery rate at which it is found."""

    component: str
    by: str
    value: str
    accounts: int
    change: float
    elsewhere: float
    q: float


@dataclass(frozen=True, slots=True)
class Rising:
    """A value of a source's column (a ticket's category) that more accounts had in the last 28 days than
    in 28 days of the 84 before (`usual`); `q` as in Falling."""

    source: str
    column: str
    value: str
    accounts: int
    usual: float
    q: float
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Causes:
    """`compared` components by group, and `watched` values, were looked at."""

    falling: tuple[Falling, ...]
    compared: int
    rising: tuple[Rising, ...]
    watched: int

    def to_dict(self) -> dict[str, Any]:
        return {"false_discovery_rate": RATE, **dataclasses.asdict(self)}


def causes(project: Project, source: Published, first: Frame, last: Frame) -> Causes:
    """What is shared among the accounts of both frames: only they are looked at."""
    fell, compared = falling(source, first, last)
    rose, watched = rising(project, source, last)
    return Causes(fell, compared, rose, watched)


# --- components ------------------------------------------------------------------------------------


def falling(source: Published, first: Frame, last: Frame) -> tuple[tuple[Falling, ...], int]:
    """Components that fell more in a group than elsewhere, and how many were compared.

    Only accounts with the same scorecard at both dates count. The test is that of Mann and Whitney,
    one-sided, with ties; accounts are taken as independent.
    """
    pair = Paired.of(first, last)
    stayed = np.flatnonzero((pair.before >= 0) & (pair.after >= 0))
    earlier, later = pair.first.scorecard, pair.last.scorecard
    cards = [
        np.array([*one.names, ""], object)[one.codes[at[stayed]]]
        for one, at in ((earlier, pair.before), (later, pair.after))
    ]
    stayed = stayed[cards[0] == cards[1]]
    if len(stayed) < 2 * ENOUGH:
        return (), 0
    ids = pair.ids.take(pa.array(stayed))
    found: list[tuple[float, Falling]] = []
    for component, change in _changes(source, first.day, last.day, ids):
        known = ~np.isnan(change)
        if known.sum() < 2 * ENOUGH or not np.any(change[known]):
            continue
        for by, groups in last.groups.items():
            codes = groups.codes[pair.after[stayed]]
            found += _compared(component, by, groups.names, codes[known], change[known])
    q = benjamini_hochberg(np.array([p for p, _ in found]))
    told = [dataclasses.replace(one, q=float(each)) for each, (_, one) in zip(q, found, strict=True)]
    worth = [one for one in told if one.q <= RATE and one.change - one.elsewhere <= -WORTH and one.change < 0]
    worth.sort(key=lambda one: (one.change - one.elsewhere) * one.accounts)
    return tuple(worth[:MOST]), len(found)


def _changes(source: Published, since: date, until: date, ids: pa.Array) -> Iterator[tuple[str, Floats]]:
    """The change of the points of each component, by account; nan where it has none at either date."""
    sides = {}
    for day in (since, until):
        table = source.table("components", dates=[day], columns=["account_id", "component", "points"])
        place = pc.index_in(table["account_id"], value_set=ids)
        sides[day] = table.append_column("place", place).filter(pc.is_valid(place))
    names = sorted({name for one in sides.values() for name in one["component"].unique().to_pylist()})
    for name in names:
        points = []
        for day in (since, until):
            mine = sides[day].filter(pc.equal(sides[day]["component"], name))
            values = np.full(len(ids), np.nan)
            values[mine["place"].to_numpy()] = floats_of(mine["points"])
            points.append(values)
        yield name, points[1] - points[0]


def _compared(
    component: str, by: str, names: tuple[str, ...], codes: Ints, change: Floats
) -> Iterator[tuple[float, Falling]]:
    """Each group of enough accounts against the rest: the chance of so low ranks, and what was found."""
    from scipy.stats import norm, rankdata

    whole, size = len(change), len(names)
    codes = np.where(codes >= 0, codes, size)
    count = np.bincount(codes, minlength=size + 1)[:size].astype(float)
    ranks = rankdata(change)
    _, ties = np.unique(change, return_counts=True)
    ties = ties.astype(float)
    spread = whole + 1 - float((ties**3 - ties).sum()) / (whole * (whole - 1))
    rest = whole - count
    above = np.bincount(codes, ranks, size + 1)[:size] - count * (count + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (above - count * rest / 2 + 0.5) / np.sqrt(count * rest / 12 * spread)
    chance = norm.cdf(z)
    for n in np.flatnonzero((count >= ENOUGH) & (rest >= ENOUGH) & np.isfinite(chance)).tolist():
        mine = codes == n
        yield (
            float(chance[n]),
            Falling(
                component, by, names[n], int(count[n]), trimmed(change[mine]), trimmed(change[~mine]), 1.0
            ),
        )


def trimmed(values: Floats) -> float:
    """The mean without a tenth at either end."""
    ordered = np.sort(values)
    cut = int(len(ordered) * TRIM)
    return float(ordered[cut : len(ordered) - cut].mean())


def benjamini_hochberg(chances: Floats) -> Floats:
    """The smallest false discovery rate at which each is found."""
    if not len(chances):
        return chances
    order = np.argsort(chances, kind="stable")
    share = chances[order] * len(chances) / np.arange(1, len(chances) + 1)
    found = np.empty(len(chances))
    found[order] = np.minimum(np.minimum.accumulate(share[::-1])[::-1], 1.0)
    return found


# --- what happens ----------------------------------------------------------------------------------


def rising(project: Project, source: Published, last: Frame) -> tuple[tuple[Rising, ...], int]:
    """Values that more accounts had lately than before, and how many values were looked at.

    They are read from the sentences of the timeline, so a column counts where its source declares
    it and its `timeline` names it, and where it has few values. An account counts once in 28 days.
    If nothing changed, each of the four stretches is as likely as another; the test is binomial.
    """
    watched = _watched(project)
    if not watched or not len(last):
        return (), 0
    table = source.table("timeline")
    start = datetime.combine(last.day - timedelta(days=LATELY + BEFORE - 1), time())
    end = datetime.combine(last.day + timedelta(days=1), time())
    when = table["occurred_at"]
    table = table.filter(pc.and_(pc.greater_equal(when, start), pc.less(when, end)))
    place = pc.index_in(table["account_id"], value_set=last.ids)
    table = table.append_column("place", place).filter(pc.is_valid(place))
    age = np.timedelta64(1, "D")
    found: list[tuple[float, Rising]] = []
    for name, column, pattern in watched:
        rows = table.filter(pc.equal(table["kind"], name))
        if not rows.num_rows:
            continue
        values = pc.struct_field(pc.extract_regex(rows["summary"], pattern), "value").combine_chunks()
        coded = values.dictionary_encode()
        if not 1 < len(coded.dictionary) <= 50 or _numeric(coded.dictionary):
            continue
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        days = (np.datetime64(end) - rows["occurred_at"].to_numpy()) // age
        stretch = np.minimum(days.astype(np.int64) // LATELY, 3)
        for n, value in enumerate(coded.dictionary.to_pylist()):
            mine = codes == n
            found.append(_risen(last, rows["place"].to_numpy()[mine], stretch[mine], (name, column, value)))
    q = benjamini_hochberg(np.array([p for p, _ in found]))
    told = [dataclasses.replace(one, q=float(each)) for each, (_, one) in zip(q, found, strict=True)]
    worth = [one for one in told if one.q <= RATE and one.accounts >= SEVERAL and one.accounts > one.usual]
    worth.sort(key=lambda one: one.usual - one.accounts)
    return tuple(worth[:MOST]), len(found)


def _risen(last: Frame, place: Any, stretch: Ints, name: tuple[str, str, str]) -> tuple[float, Rising]:
    """Accounts with the value in each stretch of 28 days, the latest first, held against one another."""
    from scipy.stats import binom

    there = np.zeros((4, len(last)), bool)
    there[stretch, place] = True
    # An account younger than a stretch could not have the value in it.
    with np.errstate(invalid="ignore"):
        old = [~(last.tenure < n * LATELY + LATELY / 2) if n else np.ones(len(last), bool) for n in range(4)]
    could = np.array([int(one.sum()) for one in old], float)
    hit = there.sum(axis=1)
    lately, before = int(hit[0]), int(hit[1:].sum())
    share = could[0] / could.sum()
    chance = float(binom.sf(lately - 1, lately + before, share)) if lately + before else 1.0
    usual = before / could[1:].sum() * could[0] if could[1:].sum() else 0.0
    examples = last.ids.take(pa.array(np.flatnonzero(there[0])[:5])).to_pylist()
    return chance, Rising(*name, lately, float(usual), 1.0, tuple(examples))


def _watched(project: Project) -> list[tuple[str, str, str]]:
    """Source, column and the pattern that finds its value in a sentence of the timeline."""
    found = []
    for name, declared in project.settings.facts.items():
        if not declared.timeline:
            continue
        for column, told in declared.columns.items():
            pattern = _pattern(declared.timeline, told.column)
            if pattern is not None:
                found.append((name, column, pattern))
    return found


def _pattern(sentence: str, column: str) -> str | None:
    parts, there = [], False
    for text, field, _, _ in string.Formatter().parse(sentence):
        parts.append(re.escape(text))
        if field == column and not there:
            parts.append("(?P<value>.+?)")
            there = True
        elif field is not None:
            parts.append(".*?")
    return f"(?s)^{''.join(parts)}$" if there else None


def _numeric(names: pa.Array) -> bool:
    return all(re.fullmatch(r"-?\d+(\.\d+)?", str(name)) for name in names.to_pylist())
