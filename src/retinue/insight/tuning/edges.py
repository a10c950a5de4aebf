"""The edges of red and green that are proposed, and what they would have done on later time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue.errors import TrialError
from retinue.insight import calibration
from retinue.insight.calibration import Calibrator
from retinue.insight.replay import Bools, Coded, Floats, Ints, Split
from retinue.insight.tuning.comparison import estimate_dict
from retinue.insight.tuning.conformal import ALPHAS, Green, green_edge, one_each
from retinue.insight.tuning.thresholds import (
    Offsets,
    Red,
    apart,
    caught,
    cut_of_capacity,
    edge_at,
    offsets,
    shifted,
)
from retinue.insight.validation.sampling import Estimate, share

_LEAST_GREEN = 0.1
"""An edge that leaves fewer accounts green than this share is told, not proposed."""


@dataclass(frozen=True)
class Scored:
    """Rows with a score that was not fitted on them, and `today`, the score in force."""

    score: Floats
    today: Floats
    event: Bools
    account: Ints
    group: Ints
    day: Ints
    segment: Coded
    stage: Coded

    def at(self, rows: Any) -> Scored:
        return Scored(
            self.score[rows],
            self.today[rows],
            self.event[rows],
            self.account[rows],
            self.group[rows],
            self.day[rows],
            self.segment.at(rows),
            self.stage.at(rows),
        )


@dataclass(frozen=True)
class Wanted:
    """What red is to follow: `capacity` accounts at a time, or a `chance`, else as many as today; and the
    share of churners that may be green."""

    capacity: float | None = None
    chance: float | None = None
    alpha: float = 0.1


@dataclass(frozen=True)
class Realised:
    """Edges learned on earlier rows, on later rows of other accounts; `red_churn_apart` is with edges by
    segment and stage."""

    red_share: Estimate
    red_churn: Estimate
    by_segment: dict[str, Estimate]
    churned_green: Estimate | None
    red_churn_apart: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {
            "red_share": estimate_dict(self.red_share),
            "red_churn_rate": estimate_dict(self.red_churn),
            "red_churn_rate_by_segment": {name: estimate_dict(one) for name, one in self.by_segment.items()},
            "red_churn_rate_with_edges_by_segment_and_stage": estimate_dict(self.red_churn_apart),
            "churned_while_green": estimate_dict(self.churned_green),
        }


@dataclass(frozen=True)
class Edges:
    """`declared` and `proposed` are the lower edges of watch and healthy. `green` are edges for several
    promises, `refused` says why one could not be kept; `why` says what is proposed."""

    declared: tuple[float, float]
    proposed: tuple[float, float]
    why: str
    red: Red | None
    green: tuple[Green, ...]
    refused: dict[str, str]
    calibrator: Calibrator | None
    segments: Offsets
    stages: Offsets
    realised: Realised | None = None

    def to_dict(self) -> dict[str, Any]:
        calibrated = self.calibrator
        return {
            "declared": {"watch": self.declared[0], "healthy": self.declared[1]},
            "proposed": {"watch": self.proposed[0], "healthy": self.proposed[1]},
            "why": self.why,
            "red": self.red.to_dict() if self.red else None,
            "green": [one.to_dict() for one in self.green],
            "refused": self.refused,
            "calibration": None
            if calibrated is None
            else {"kind": calibrated.kind, "observations": calibrated.rows, "events": calibrated.events},
            "segments": self.segments.to_dict(),
            "stages": self.stages.to_dict(),
            "realised": self.realised.to_dict() if self.realised else None,
        }


def edges(rows: Scored, declared: tuple[float, float], wanted: Wanted, split: Split | None) -> Edges:
    """Edges learned on all rows; with a split also on its earlier part, and held against the later one."""
    found = _learned(rows, declared, wanted)
    if split is None:
        return found
    early, late = rows.at(split.train), rows.at(split.test)
    return Edges(**{**vars(found), "realised": _realised(_learned(early, declared, wanted), late, wanted)})


def _learned(rows: Scored, declared: tuple[float, float], wanted: Wanted) -> Edges:
    kind = calibration.kind_for(int(rows.event.sum()))
    none = Offsets(0.0, {})
    calibrator, by_segment, by_stage, told, reason = None, none, none, None, "too few outcomes for a chance"
    if kind != "constant" and int((~rows.event).sum()) >= calibration.MINIMUM[kind]:
        calibrator = calibration.fit(kind, rows.score, rows.event)
        moved = calibrator.chance(rows.score)
        by_segment = offsets(moved, rows.event, rows.segment)
        moved = shifted(moved, by_segment.logits(rows.segment))
        # What the segment tells already is not told again by the stage.
        by_stage = offsets(moved, rows.event, rows.stage)
        moved = shifted(moved, by_stage.logits(rows.stage))
        told = _red(rows, calibrator, moved, (by_segment, by_stage), declared[0], wanted)
        reason = "nothing says how much red there should be: name a capacity or a cost"
    green, refused = _greens(rows, wanted.alpha)
    proposed, why = _proposed(declared, told, reason, green, wanted.alpha)
    return Edges(declared, proposed, why, told, green, refused, calibrator, by_segment, by_stage)


def _red(
    rows: Scored,
    calibrator: Calibrator,
    moved: Floats,
    by: tuple[Offsets, Offsets],
    watch: float,
    wanted: Wanted,
) -> Red | None:
    """One edge for all, and edges by segment and stage; None where nothing says how much red there is to
    be."""
    today = float(np.mean(rows.today < watch))
    if wanted.chance is not None:
        rule = f"an alert pays from a chance of {wanted.chance:.1%}"
        cut, edge = wanted.chance, edge_at(calibrator, wanted.chance, 0.0)
    elif wanted.capacity is not None:
        most = int(wanted.capacity)
        rule = f"the {most} accounts at most risk"
        cut = cut_of_capacity(moved, rows.day, most)
        edge = float(np.nextafter(-cut_of_capacity(-rows.score, rows.day, most), np.inf))
    elif 0 < today < 1:
        rule = f"as many as today ({today:.1%})"
        cut = float(np.quantile(moved, 1 - today))
        same = rows.score is rows.today or bool((rows.score == rows.today).all())
        edge = watch if same else float(np.quantile(rows.score, today))
    else:
        return None
    chance = float(calibrator.chance(edge)) if np.isfinite(edge) else cut
    inside = rows.score < edge if np.isfinite(edge) else np.zeros(len(rows.score), bool)
    return Red(rule, chance, edge, *caught(inside, rows.event), apart(calibrator, cut, moved, rows.event, by))


def _greens(rows: Scored, alpha: float) -> tuple[tuple[Green, ...], dict[str, str]]:
    churned = one_each(rows.score[rows.event], rows.account[rows.event])
    found, refused = [], {}
    for one in sorted({*ALPHAS, alpha}):
        try:
            found.append(green_edge(churned, one, rows.score))
        except TrialError as error:
            refused[f"{one:g}"] = error.message
    return tuple(found), refused


def _proposed(
    declared: tuple[float, float], told: Red | None, reason: str, green: tuple[Green, ...], alpha: float
) -> tuple[tuple[float, float], str]:
    watch, healthy = declared
    said = []
    if told is None or not 0 < told.edge < 100:
        said.append(f"the edge of red stays: {'no score is that risky' if told else reason}")
    else:
        watch = float(np.floor(np.nextafter(told.edge * 10, np.inf)) / 10)
        said.append(f"red below {watch:g}: {told.rule}")
    chosen = next((one for one in green if one.alpha == alpha), None)
    if chosen is None:
        said.append(f"the edge of green stays: too few churned for a promise of {alpha:.0%}")
    elif chosen.share < _LEAST_GREEN or chosen.edge > 100:
        said.append(
            f"the edge of green stays: to keep {alpha:.0%} of churners out of it only {chosen.share:.1%} of "
            "accounts would be green"
        )
    else:
        healthy = float(np.ceil(chosen.edge * 10) / 10)
        said.append(f"green from {healthy:g}: at most {alpha:.0%} of churners were there")
    if not 0 < watch < healthy <= 100:
        return declared, (
            f"the declared edges stay: red would end at {watch:g} and green begin at {healthy:g}; "
            "allow more churners to be green, or fewer red"
        )
    return (watch, healthy), "; ".join(said)


def _realised(learned: Edges, late: Scored, wanted: Wanted) -> Realised | None:
    if learned.red is None:
        return None
    inside = late.score < learned.red.edge
    by_segment = {
        name: share(late.event[rows], late.group[rows])
        for n, name in enumerate(late.segment.names)
        if (rows := inside & (late.segment.codes == n)).any()
    }
    chosen = next((one for one in learned.green if one.alpha == wanted.alpha), None)
    green = None
    if chosen is not None and late.event.any():
        green = share(late.score[late.event] >= chosen.edge, late.group[late.event])
    churn = share(late.event[inside], late.group[inside]) if inside.any() else Estimate.none()
    return Realised(share(inside, late.group), churn, by_segment, green, _apart_later(learned, late))


def _apart_later(learned: Edges, late: Scored) -> Estimate:
    """Outcome rate of what the edges by segment and stage would have made red."""
    if learned.red is None or learned.calibrator is None:
        return Estimate.none()
    logit = learned.segments.logits(late.segment) + learned.stages.logits(late.stage)
    inside = shifted(learned.calibrator.chance(late.score), logit) >= learned.red.apart.chance
    return share(late.event[inside], late.group[inside]) if inside.any() else Estimate.none()
