"""Find leading indicators: discover on the accounts that started first, estimate on the others.

Many features, thresholds and landmarks are looked at, so some will look good by chance. The
older half of the accounts says which are associated with the outcome, with the share of false
features among them held to a rate (Simes 1986 within features, Benjamini and Hochberg 1995 over
them). What is found there is too good by the luck that made it be found; so what is told of it
comes from the newer half alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from retinue.errors import TrialError
from retinue.insight.discovery import stratified
from retinue.insight.discovery.findings import Discovery, Finding, Looked, bins, estimate, sentence
from retinue.insight.discovery.landmarks import Landmarks
from retinue.insight.discovery.stratified import Tables
from retinue.insight.replay import Bools, Floats, Ints

#: Of a feature, at most so many thresholds are tried.
LEVELS = 4
#: A property that nearly all or nearly no accounts have tells nothing.
SUPPORT = (0.05, 0.95)
#: Older and newer accounts are halves where neither has less than this share.
LEAST = 0.25
#: Below so many accounts that can be followed, even true indicators are seldom found.
ENOUGH = 400
#: With fewer outcomes in a half, as seldom.
FEW = 20
#: A difference in rates above this is more likely the outcome itself than a sign of it.
TOO_GOOD = 0.5


@dataclass(frozen=True)
class _Tests:
    """All tests of one landmark, as they stand in the grid."""

    of: int
    feature: Ints
    level: Floats
    p: Floats
    crude: Floats


@dataclass(frozen=True)
class _Half:
    """One half of the population of a landmark."""

    counts: Floats
    event: Bools
    stratum: Ints
    strata: int

    @classmethod
    def of(cls, given: Landmarks, rows: Bools) -> _Half:
        keys = np.stack([given.segment.codes[rows], given.cohort[rows]])
        _, stratum = np.unique(keys, axis=1, return_inverse=True)
        stratum = np.asarray(stratum, np.int64).ravel()
        return cls(
            given.counts[rows], given.event[rows], stratum, int(stratum.max()) + 1 if len(stratum) else 0
        )

    def tables(self, feature: int, levels: Floats) -> Tables:
        """Of the rows that have a value."""
        values = self.counts[:, feature]
        known = ~np.isnan(values)
        return stratified.tables(values[known], levels, self.event[known], self.stratum[known], self.strata)


def discover(
    landmarks: Sequence[Landmarks],
    outcome: str = "the outcome",
    *,
    rate: float = 0.1,
    by_account: bool = False,
    seed: int = 0,
) -> Discovery:
    """Leading indicators among the features of `landmarks`, which are of the same accounts.

    The halves are older and newer starts, or by chance with `by_account`; an account and its
    children are always in the same. Raises TrialError where no account can be followed.
    """
    if not landmarks or not any(one.population.any() for one in landmarks):
        raise TrialError(
            "no account can be followed: none was seen from its start to the end of the follow-up",
            hint="shorten the follow-up, or give a longer history",
        )
    older, by_start = _older(landmarks, by_account, seed)
    halves = [
        (_Half.of(one, one.population & side), _Half.of(one, one.population & ~side))
        for one, side in zip(landmarks, older, strict=True)
    ]
    grid = [_tests(n, first) for n, (first, _) in enumerate(halves)]
    p = np.concatenate([one.p for one in grid])
    findings, rejected = _sorted_out(landmarks, halves, grid, rate, outcome)
    first = min(landmarks, key=lambda one: one.days)
    of_all = [(int(one.population.sum()), int(one.event[one.population].sum())) for one in landmarks]
    accounts, events = max(of_all)
    side = next(side for one, side in zip(landmarks, older, strict=True) if one is first)
    return Discovery(
        outcome=outcome,
        follow_up=first.follow_up,
        accounts=accounts,
        events=events,
        discovery_accounts=int((first.population & side).sum()),
        held_out_accounts=int((first.population & ~side).sum()),
        features=len({name for one in landmarks for name in one.features}),
        tests=len(p),
        rate=rate,
        first_days=first.days > 0,
        findings=findings,
        rejected=rejected,
        warnings=_warnings(accounts, halves, findings, alike=not (by_start or by_account)),
    )


def _older(landmarks: Sequence[Landmarks], by_account: bool, seed: int) -> tuple[list[Bools], bool]:
    """Which rows discover: the same accounts on every landmark, groups whole; and whether they are the
    older ones. They are drawn by chance too where starts are too alike to tell older from newer."""
    group = np.concatenate([one.group[one.population] for one in landmarks])
    start = np.concatenate([one.start[one.population] for one in landmarks])
    groups, place = np.unique(group, return_inverse=True)
    began = np.full(len(groups), np.iinfo(np.int64).max)
    np.minimum.at(began, place, start)
    # Half of the accounts that the shortest landmark has, not half of the groups.
    short = min(landmarks, key=lambda one: one.days)
    own = began[np.searchsorted(groups, short.group[short.population])]
    middle = np.median(own) if len(own) else np.median(began)
    sides = [(began <= middle, (own <= middle).mean()), (began < middle, (own < middle).mean())]
    chosen, share = min(sides, key=lambda side: abs(side[1] - 0.5))
    older = not by_account and LEAST <= share <= 1 - LEAST
    if not older:
        chosen = np.random.default_rng(seed).permutation(len(groups)) < len(groups) / 2
    return [np.isin(one.group, groups[chosen]) for one in landmarks], older


def _levels(values: Floats) -> Floats:
    """At most LEVELS thresholds, at fifths of the values, that split them well enough."""
    values = values[~np.isnan(values)]
    if len(values) == 0 or values.min() == values.max():
        return np.zeros(0)
    least = values[values > values.min()].min()
    cuts = np.quantile(values, np.arange(1, LEVELS + 1) / (LEVELS + 1), method="inverted_cdf")
    cuts = np.unique(np.maximum(cuts, least))
    support = (values[:, None] >= cuts).mean(axis=0)
    return np.asarray(cuts[(support > SUPPORT[0]) & (support < SUPPORT[1])], np.float64)


def _tests(of: int, half: _Half) -> _Tests:
    feature, level, p, crude = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for n in range(half.counts.shape[1]):
        levels = _levels(half.counts[:, n])
        if not len(levels):
            continue
        found = half.tables(n, levels)
        together = replace(
            found,
            **{name: getattr(found, name).sum(axis=1, keepdims=True) for name in found.__dataclass_fields__},
        )
        feature.append(np.full(len(levels), n, np.int64))
        level.append(levels)
        p.append(stratified.p_values(found))
        crude.append(stratified.p_values(together))
    return _Tests(
        of, np.concatenate(feature), np.concatenate(level), np.concatenate(p), np.concatenate(crude)
    )


def simes(p: Floats) -> float:
    """One p-value for "none of these holds", from theirs (Simes 1986)."""
    return float(np.min(np.sort(p) * len(p) / np.arange(1, len(p) + 1)))


def adjusted(p: Floats) -> Floats:
    """The smallest false discovery rate at which each is found (Benjamini and Hochberg 1995)."""
    if not len(p):
        return p
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(p, method="fdr_bh")[1], np.float64)


def _sorted_out(
    landmarks: Sequence[Landmarks],
    halves: list[tuple[_Half, _Half]],
    grid: list[_Tests],
    rate: float,
    outcome: str,
) -> tuple[tuple[Finding, ...], tuple[Looked, ...]]:
    """One entry per feature, told by its strongest test.

    What is read are features, so it is of features that the share of false ones is held: one
    p-value for all thresholds and landmarks of a feature, then the rate over features. Over all
    tests at once, the many that a true feature passes would let false features in.
    """
    of = np.concatenate([np.full(len(one.p), one.of) for one in grid])
    names = np.array(
        [landmarks[one.of].features[n] for one in grid for n in one.feature.tolist()], dtype=object
    )
    feature = np.concatenate([one.feature for one in grid])
    level = np.concatenate([one.level for one in grid])
    p = np.concatenate([one.p for one in grid])
    crude = np.concatenate([one.crude for one in grid])
    everything = dict.fromkeys(name for one in landmarks for name in one.features)
    tests = {name: np.flatnonzero(names == name) for name in everything}
    tested = [name for name in everything if len(tests[name])]
    q_of = dict(zip(tested, adjusted(np.array([simes(p[tests[name]]) for name in tested])), strict=True))
    findings: list[Finding] = []
    rejected: list[Looked] = []
    for name in everything:
        mine = tests[name]
        if not len(mine):
            why = "nearly all or nearly no accounts have it"
            rejected.append(Looked(name, None, None, np.nan, np.nan, np.nan, why))
            continue
        best = int(mine[np.argmin(p[mine])])
        at = landmarks[of[best]]
        q = float(q_of[name])
        if q > rate:
            whole, crude_p = simes(p[mine]), simes(crude[mine])
            why = _why(whole, crude_p)
            rejected.append(Looked(name, at.days, float(level[best]), whole, q, crude_p, why))
            continue
        others = [int(n) for n in mine[np.argsort(p[mine], kind="stable")] if p[n] < 0.05 and n != best]
        finding = _finding(name, at, halves[of[best]], int(feature[best]), float(level[best]), outcome)
        also = tuple((landmarks[of[n]].days, float(level[n])) for n in others)
        findings.append(replace(finding, p=float(p[best]), q=q, also=also))
    findings.sort(key=lambda one: (not one.confirmed, one.p, one.feature))
    rejected.sort(key=lambda one: (np.isnan(one.p), one.p, one.feature))
    return tuple(findings), tuple(rejected)


def _why(p: float, crude: float) -> str:
    if crude < 0.05 <= p:
        return "goes with segment or start quarter, which account for what it seemed to say"
    if p < 0.05:
        return "no more than chance gives when so many are looked at"
    return "not associated with the outcome"


def _finding(
    name: str, at: Landmarks, halves: tuple[_Half, _Half], feature: int, level: float, outcome: str
) -> Finding:
    levels = np.array([level])
    told = [half.tables(feature, levels) for half in halves]
    discovered, held_out = (estimate(one) for one in told)
    ratio = stratified.ratio(told[1])
    sign = np.sign(discovered.difference)
    confirmed = held_out.high < 0 if sign < 0 else held_out.low > 0
    return Finding(
        feature=name,
        days=at.days,
        at_least=level,
        p=np.nan,
        q=np.nan,
        discovered=discovered,
        held_out=held_out,
        confirmed=bool(confirmed),
        e_value=float(stratified.e_value(ratio.value)[0]),
        e_value_low=float(stratified.e_value_of_interval(ratio)[0]),
        bins=bins(halves[1].counts[:, feature], halves[1].event),
        also=(),
        sentence=sentence(name, at.days, level, at.follow_up, outcome, held_out, bool(confirmed)),
    )


def _warnings(
    accounts: int, halves: list[tuple[_Half, _Half]], findings: Sequence[Finding], *, alike: bool
) -> tuple[str, ...]:
    found: list[str] = []
    if alike:
        found.append(
            "accounts started too much at the same time to tell older from newer: halves are by chance"
        )
    if accounts < ENOUGH:
        found.append(
            f"{accounts:,} accounts can be followed: expect nothing found; below {ENOUGH} that is too few"
        )
    events = min(int(half.event.sum()) for pair in halves for half in pair)
    if events < FEW:
        found.append(f"only {events} of one half had the outcome: expect nothing found")
    found += [
        f"{one.feature} differs by {abs(one.held_out.difference) * 100:.0f} points: so much is more likely "
        "a part of the outcome than a sign of it; look at what it counts"
        for one in findings
        if abs(one.held_out.difference) > TOO_GOOD
    ]
    return tuple(found)
