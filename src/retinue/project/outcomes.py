"""What is to be foreseen, and how much a score must prove: the keys `outcomes` and `validation`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from retinue.project.declaration import Declaration, Length, Where

KINDS = ("ended", "fact", "silence", "falls", "rises", "recorded")


class OutcomeRule(Declaration):
    """What may become of an account within a horizon. It has exactly one of these keys:

    `ended: true`, the account ends (`ended_on`); `fact`, a row of this source, for which `where`
    holds; `silence`, no row of this source; `falls` or `rises`, an attribute that changes by at
    least the share `by`; `recorded`, people have recorded it.

    `within` is the horizon. A `final` outcome happens once, and the account is gone: by default
    `ended`, `fact` and `recorded: churned` are. A `good` one is to come to healthy accounts: by
    default `rises` and `recorded` renewed, expanded and referred are. `amount` and `reason` are
    columns of the source. `until` is an attribute with a date: after it the outcome cannot happen
    any more, so snapshots whose horizon goes past it are not counted.
    """

    ended: Literal[True] | None = None
    fact: str | None = None
    silence: str | None = None
    falls: str | None = None
    rises: str | None = None
    recorded: Literal["renewed", "expanded", "contracted", "churned", "referred"] | None = None
    where: Where | None = None
    by: float = Field(default=0.0, ge=0)
    within: Length = Field(default="90d", validate_default=True)
    final: bool | None = None
    good: bool | None = None
    amount: str | None = None
    reason: str | None = None
    until: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> OutcomeRule:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError(f"an outcome has exactly one of {', '.join(f'`{kind}`' for kind in KINDS)}")
        if self.where is not None and self.fact is None and self.silence is None:
            raise ValueError("`where` chooses rows of a source; it goes with `fact` or `silence`")
        if (self.amount or self.reason) and self.fact is None:
            raise ValueError("`amount` and `reason` are columns of a source; they go with `fact`")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def is_final(self) -> bool:
        if self.final is not None:
            return self.final
        return self.kind in ("ended", "fact") or self.recorded == "churned"

    @property
    def is_good(self) -> bool:
        if self.good is not None:
            return self.good
        return self.kind == "rises" or self.recorded in ("renewed", "expanded", "referred")

    @property
    def source(self) -> str | None:
        """The source that it is told from."""
        return self.fact or self.silence


class Bars(Declaration):
    """What a score must reach to be relied on.

    Red accounts churn at least `red_lift` times as often as all; at least `early_warning` of the
    churned were below green 60 to 90 days before, and that share is at least `early_warning_lift`
    times that of accounts that stayed; at most `green_share` of the accounts are green.
    """

    red_lift: float = Field(default=3.0, ge=0)
    early_warning: float = Field(default=2 / 3, ge=0, le=1)
    early_warning_lift: float = Field(default=1.5, ge=0)
    green_share: float = Field(default=0.8, ge=0, le=1)


class Validation(Declaration):
    """How the score is tried against what happened.

    `outcome` is the one of the headline, by default the first. `every` is the grid of dates.
    `activity` is the source whose rows the naive baselines count, `interventions` one with a row
    for each thing that was done for an account. Accounts with the same parent count as one, or
    those with the same value of the attribute `together`. `capacity` is the number of accounts
    that the team can work at a time. `explained` names metrics, or `score`, whose too good
    result a person has looked into.
    """

    outcome: str | None = None
    every: Literal["day", "week"] = "week"
    activity: str | None = None
    interventions: str | None = None
    together: str | None = None
    capacity: float | None = Field(default=None, gt=0)
    explained: tuple[str, ...] = ()
    bars: Bars = Bars()
