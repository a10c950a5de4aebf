"""Stability, one account and one snapshot at a time: slow, obvious, written apart from the fold."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Row:
    day: int
    computed: float | None
    cap: float | None = None
    held: bool = False
    reset: bool = False
    old: float | None = None
    edges: tuple[float, float] = (40.0, 70.0)
    deadband: float = 3.0
    margin: float = 3.0
    down: float = 3.0
    up: float = 7.0


@dataclass
class Edge:
    above: bool
    elapsed: float = 0.0
    since: int | None = None
    configuration: float = 0.0

    def forget(self):
        self.elapsed, self.configuration = 0.0, 0.0


@dataclass
class Account:
    rules: Row | None = None
    published: float = 0.0
    edges: list[Edge] = field(default_factory=list)
    band_since: int | None = None
    last: int | None = None
    last_scored: int | None = None
    owed: float = 0.0
    formula_changed: bool = False


@dataclass
class Said:
    published: float | None = None
    band: int = -1
    band_since: int | None = None
    kind: str = ""
    from_band: int = -1
    to_band: int = -1
    since: int | None = None


def band_of(account):
    return sum(e.above for e in account.edges)


def qualifies(score, above, edge, margin):
    if above:
        return score <= edge - margin if margin > 0 else score < edge
    return score >= edge + margin


def ordinary(account, row, rules, score, drift):
    """Steps the account in place; the causes of the edges that changed, as (cause, since)."""
    before = [e.above for e in account.edges]
    why = [None, None]
    if row.held:
        account.owed += drift
    else:
        drift += account.owed
        account.owed = 0.0
        if abs(score - account.published) >= rules.deadband:
            account.published = score
        for n, e in enumerate(account.edges):
            if not qualifies(score, e.above, rules.edges[n], rules.margin):
                e.forget()
                continue
            if e.elapsed == 0:
                e.elapsed, e.since, e.configuration = 1.0, account.last_scored, drift
            else:
                e.elapsed += row.day - account.last
                e.configuration += drift
            if e.elapsed >= (rules.down if e.above else rules.up):
                anyway = qualifies(score - e.configuration, e.above, rules.edges[n], rules.margin)
                why[n] = ("data" if anyway else "recalibrated", e.since)
                e.above = not e.above
                e.forget()
    if row.cap is not None:
        account.published = min(account.published, row.cap)
        for n, e in enumerate(account.edges):
            if row.cap < rules.edges[n]:
                if e.above and why[n] is None:
                    why[n] = ("rule", account.last_scored)
                e.above = False
                e.forget()
    return [why[n] for n in (0, 1) if account.edges[n].above != before[n]]


def told(causes):
    for kind in ("data", "rule", "recalibrated"):
        if any(k == kind for k, _ in causes):
            return kind, min(s for _, s in causes)
    return "", None


def copied(account):
    twin = Account(**{k: v for k, v in vars(account).items() if k != "edges"})
    twin.edges = [Edge(**vars(e)) for e in account.edges]
    return twin


def step(account, row):
    if row.computed is None:
        account.last = row.day
        account.formula_changed |= row.reset
        return Said()
    first = account.rules is None
    said = Said()
    before = band_of(account) if not first else -1
    if first or row.reset or account.formula_changed:
        causes, old_band = [], None
        if not first and row.reset and row.old is not None:
            twin = copied(account)
            causes = ordinary(twin, row, account.rules, row.old, 0.0)
            old_band = band_of(twin)
        account.published = row.computed
        account.edges = [Edge(row.computed >= e) for e in row.edges]
        account.owed = 0.0
        if row.cap is not None:
            account.published = min(account.published, row.cap)
            for n, e in enumerate(account.edges):
                e.above = e.above and row.cap >= row.edges[n]
        if not first and band_of(account) != before:
            same = old_band == band_of(account)
            said.kind, said.since = told(causes) if same else ("recalibrated", account.last_scored)
    else:
        drift = row.computed - row.old if row.old is not None else 0.0
        said.kind, said.since = told(ordinary(account, row, row, row.computed, drift))
    now = band_of(account)
    if first or now != before:
        account.band_since = row.day
    if said.kind:
        said.from_band, said.to_band = before, now
    assert not (account.edges[1].above and not account.edges[0].above)
    account.rules, account.formula_changed = row, False
    account.last = account.last_scored = row.day
    said.published, said.band, said.band_since = account.published, now, account.band_since
    return said


def replay(rows):
    account = Account()
    return [step(account, row) for row in rows]
