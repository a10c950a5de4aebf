"""What deserves a look now, and how often people may be interrupted: the keys `alerts` and `alerting`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from retinue.project.declaration import Declaration, Length, Span, TimeOfDay, When, Where

Band = Literal["at_risk", "watch", "healthy"]

#: What an alert can be about one account, and what about the portfolio. Each rule has one of them.
ACCOUNT_KINDS = (
    *("band", "drop", "component", "event", "renewal_within", "coverage_below"),
    *("no_touch", "anomaly", "holds", "expansion"),
)
PORTFOLIO_KINDS = ("feed_stopped", "shared_issue", "share_rising")


class SharedIssue(Declaration):
    """Unusually many accounts with the same value of a column of a source, such as a ticket category."""

    source: str
    by: str
    within: Length = Field(default="28d", validate_default=True)
    at_least: int = Field(default=5, ge=2)


class ShareRising(Declaration):
    """The share of accounts in a band rises within the groups of an attribute."""

    band: Band = "at_risk"
    by: str = "segment"
    within: Length = Field(default="28d", validate_default=True)
    at_least: int = Field(default=20, ge=5)


class AlertRule(Declaration):
    """When somebody should look. It has exactly one of these keys:

    `band`, the account comes into this band; `drop`, its computed score fell by so many points
    `within` a time; `component`, the points of this component fell by at least `by`; `event`, a new
    row of this source, for which `where` holds; `renewal_within`, it renews so soon while the score
    is `below`; `coverage_below`, less than this share of its score rests on data; `no_touch`, nobody
    was in touch for so long (rows of the sources `touches`, notes, tasks that were done);
    `anomaly`, its usage is unusual: `week`, `decline` or `any`; `holds`, a condition begins to hold (no
    champion is left, two invoices are overdue); `expansion`, one that speaks for more business. About
    the portfolio: `feed_stopped: true`, `shared_issue`, `share_rising`.

    `applies_to` narrows the accounts down. It must have held for `hold` before anybody is told; the
    same is not told again within `rest`. `do` is what to do about it. `to` names destinations, by
    default those of `alerting`.
    """

    band: Band | None = None
    drop: float | None = Field(default=None, gt=0, le=100)
    component: str | None = None
    event: str | None = None
    renewal_within: Length | None = None
    coverage_below: float | None = Field(default=None, gt=0, le=1)
    no_touch: Length | None = None
    anomaly: Literal["week", "decline", "any"] | None = None
    holds: When | None = None
    expansion: When | None = None
    feed_stopped: Literal[True] | None = None
    shared_issue: SharedIssue | None = None
    share_rising: ShareRising | None = None

    by: float = Field(default=15.0, gt=0, le=100)
    below: float = Field(default=50.0, ge=0, le=100)
    within: Length = Field(default="28d", validate_default=True)
    where: Where | None = None
    touches: tuple[str, ...] = ()
    applies_to: Where | None = None
    hold: Span = Field(default="0d", validate_default=True)
    rest: Span = Field(default="28d", validate_default=True)
    severity: Literal["low", "normal", "high"] = "normal"
    label: str | None = None
    do: str | None = None
    to: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> AlertRule:
        every = (*ACCOUNT_KINDS, *PORTFOLIO_KINDS)
        if sum(getattr(self, kind) is not None for kind in every) != 1:
            raise ValueError(f"an alert has exactly one of {', '.join(f'`{kind}`' for kind in every)}")
        if self.where is not None and self.event is None:
            raise ValueError("`where` chooses rows of a source; it goes with `event`")
        no_hold_of_an_event(self.event, self.hold)
        if self.touches and self.no_touch is None:
            raise ValueError("`touches` names sources; it goes with `no_touch`")
        return self

    @property
    def kind(self) -> str:
        return next(k for k in (*ACCOUNT_KINDS, *PORTFOLIO_KINDS) if getattr(self, k) is not None)

    @property
    def is_portfolio(self) -> bool:
        return self.kind in PORTFOLIO_KINDS


def no_hold_of_an_event(event: str | None, hold: Span) -> None:
    """Raise ValueError for a condition that could never be met."""
    if event is not None and hold.count:
        raise ValueError("an `event` happens once and holds for no time: leave `hold` away")


class Alerting(Declaration):
    """How often people may be interrupted.

    At most `per_account` alerts of an account in 28 days, and `per_person` messages a day: what goes
    beyond comes in one digest. From `quiet_from` to `quiet_until`, and on days that are not
    `workdays` (0 is Monday), nothing is sent but alerts of high severity. Where one rule would tell
    of `storm` of all accounts or more at once (and of 10 at least), it tells once, of all of them.
    """

    to: tuple[str, ...] = ()
    portfolio_to: tuple[str, ...] = ()
    per_account: int = Field(default=3, ge=1)
    per_person: int = Field(default=10, ge=1)
    quiet_from: TimeOfDay = Field(default="18:00", validate_default=True)
    quiet_until: TimeOfDay = Field(default="08:00", validate_default=True)
    workdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    storm: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _days(self) -> Alerting:
        if not self.workdays or any(day not in range(7) for day in self.workdays):
            raise ValueError("`workdays` are numbers of days of the week, 0 for Monday to 6 for Sunday")
        return self
