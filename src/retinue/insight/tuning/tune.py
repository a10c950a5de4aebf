"""Everything that history proposes about one scorecard, in one result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from retinue.insight.replay import Events, Floats, Ints, Labels, Outcome, Replay
from retinue.insight.tuning.comparison import Comparison, Later, compare, later, out_of_fold
from retinue.insight.tuning.curves import CurveProposal, Declared, Kind, propose
from retinue.insight.tuning.dropping import Dropped, dropped
from retinue.insight.tuning.edges import Edges, Scored, Wanted, edges
from retinue.insight.tuning.evidence import Evidence, counted, evidence
from retinue.insight.tuning.proposed import Level, Weighing, kept, weigh
from retinue.insight.tuning.tradeoff import Setting, Tradeoff, tradeoff
from retinue.insight.tuning.weights import MANY
from retinue.insight.validation.asked import Trial
from retinue.insight.validation.guards import of_attributes, refuse_too_good
from retinue.insight.validation.losses import losses

_TENURE = np.array([30, 90, 180, 365, 730])
"""Days of tenure at which like accounts are told apart."""


@dataclass(frozen=True)
class Shape:
    """How a measure's curve is declared; `rising`: more is better, None for a target band."""

    kind: Kind
    rising: bool | None


@dataclass(frozen=True)
class Asked:
    """What to propose, and from what. `settings` are today's, in the order of the replay's scorecards;
    `shapes` by measure. `cutoff` is the last day to learn from in the comparison; `learned_until`
    the day up to which today's scorecard itself was learned."""

    scorecard: str
    until: int
    settings: tuple[Setting, ...]
    shapes: dict[str, Shape] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    level: Level | None = None
    cutoff: int | None = None
    learned_until: int | None = None
    explained: tuple[str, ...] = ()
    repetitions: int = 500
    seed: int = 0


@dataclass(frozen=True)
class Tuned:
    """The proposal for one scorecard. `weighing` is fitted on all that has matured; `held_out` on its earlier
    part only, None, with `not_held_out` saying why, where outcomes are too few."""

    scorecard: str
    outcome: str
    horizon: int
    until: int
    weighing: Weighing
    held_out: Comparison | None
    not_held_out: str | None
    dropping: tuple[Dropped, ...]
    edges: Edges
    stability: Tradeoff
    curves: tuple[CurveProposal, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        weighing = self.weighing.to_dict()
        none = {"declared": None, "fitted": None, "challenger": None, "reason": self.not_held_out}
        return {
            "scorecard": self.scorecard,
            "outcome": self.outcome,
            "horizon_days": self.horizon,
            "until": _iso(self.until),
            "observations": self.weighing.rows,
            "accounts": self.weighing.accounts,
            "events": self.weighing.events,
            "level": self.weighing.level,
            "weights": weighing.pop("weights"),
            "adopted": self.weighing.adopted,
            "why": self.weighing.why,
            "enough_evidence": self.weighing.enough,
            "fit": weighing,
            "held_out": self.held_out.to_dict() if self.held_out else none,
            "dropping": {one.name: one.to_dict() for one in self.dropping},
            "thresholds": self.edges.to_dict(),
            "stability": self.stability.to_dict(),
            "curves": {one.name: one.to_dict() for one in self.curves},
            "warnings": list(self.warnings),
        }


def _iso(day: int) -> str:
    return str(np.datetime64(day, "D"))


def tune(
    replay: Replay,
    events: Events,
    told: Labels,
    outcome: Outcome,
    asked: Asked,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Propose weights, edges, stability and curves for one scorecard.

    The comparison is learned on the earlier rows and told on later ones of other accounts; the
    proposal itself is then fitted on everything that has matured. Raises TrialError where the
    score, or a metric, knows the outcome, or where the period asked for was learned from.
    """
    say = progress or (lambda _: None)
    rows = counted(replay, told, outcome.horizon, asked.scorecard)
    part = replay.at(rows)
    own = evidence(replay, told, rows, asked.scorecard)
    trial = Trial(until=asked.until, explained=asked.explained)
    warnings = [*refuse_too_good(part, own.event, trial), *of_attributes(part)]

    at = later(own, asked.cutoff, asked.learned_until, asked.seed)
    held_out = None
    if at.split is not None:
        say("comparing on later time")
        held_out = compare(own, part, at, asked.repetitions, asked.seed)
    say("fitting weights")
    weighing = _decided(weigh(own, asked.level, asked.seed), held_out)
    say("leaving parts out")
    leaving = own if weighing.level == "measures" else own.by_component()
    found = dropped(leaving, at.split, weighing.fit.kappa, asked.repetitions, asked.seed)
    say("edges of red and green")
    told_edges = _edges(own, part, weighing, asked, at)
    say("trying settings of stability")
    card = replay.scorecard.names.index(asked.scorecard)
    lost = losses(replay, events, told, asked.until)
    calm = tradeoff(replay, told, outcome, lost, asked.settings, card)
    if not weighing.slope.signal and not weighing.adopted:
        # Where to draw lines through a score that says nothing is no question for history.
        none = "the edges stay: there is no evidence that the score predicts the outcome"
        told_edges = replace(told_edges, proposed=told_edges.declared, why=none)
        calm = replace(calm, suggested=calm.current.setting)
    say("drawing curves")
    curves = tuple(_curves(part, own, asked))
    return Tuned(
        scorecard=asked.scorecard,
        outcome=outcome.name,
        horizon=outcome.horizon,
        until=int(told.known[rows].max(initial=0)) or asked.until,
        weighing=weighing,
        held_out=held_out,
        not_held_out=at.reason,
        dropping=found,
        edges=told_edges,
        stability=calm,
        curves=curves,
        warnings=tuple(warnings),
    )


def _decided(weighing: Weighing, held_out: Comparison | None) -> Weighing:
    """Later time can take a proposal back: weights that did clearly worse there, or, with MANY outcomes to
    tell by, not clearly better or not better at ranking, are not proposed."""
    if not weighing.adopted or held_out is None:
        return weighing
    later = held_out.gain
    told = f"({later.gain:+.1f} in log-likelihood, standard error {later.se:.1f})"
    if later.gain < -later.se:
        return kept(
            weighing, f"the fitted weights did worse on later time {told}, though better on accounts left out"
        )
    if held_out.test_events >= MANY and (not later.clear or held_out.fitted_ahead.value <= 0):
        ahead = f"AUC {held_out.fitted_ahead.value:+.3f}, {told[1:]}"
        return kept(
            weighing,
            f"the fitted weights are not clearly better on later time ({ahead}, though on accounts left out",
        )
    return weighing


def _edges(own: Evidence, part: Replay, weighing: Weighing, asked: Asked, at: Later) -> Edges:
    scored = Scored(
        score=out_of_fold(own, weighing, asked.seed),
        today=own.score,
        event=own.event,
        account=own.account,
        group=own.group,
        day=own.day,
        segment=part.segment,
        stage=part.stage,
    )
    watch, healthy = part.edges[part.scorecard.names.index(asked.scorecard)].tolist()
    return edges(scored, (watch, healthy), asked.wanted, at.split)


def _curves(part: Replay, own: Evidence, asked: Asked) -> list[CurveProposal]:
    cohort = _cohort(part)
    found = []
    for measure, shape in asked.shapes.items():
        metric = measure.rsplit(".", 1)[1]
        if measure not in part.measures or metric not in part.metrics:
            continue
        values: Floats = part.values[:, part.metrics.index(metric)]
        points: Floats = part.points[:, part.measures.index(measure)]
        told = Declared(measure, shape.kind, values, points, shape.rising)
        found.append(propose(told, own, cohort, asked.seed))
    return found


def _cohort(part: Replay) -> Ints:
    """Segment and tenure: what makes accounts alike where nothing else is declared."""
    tenure = np.searchsorted(_TENURE, np.nan_to_num(part.tenure), side="right")
    return np.asarray(part.segment.codes * (len(_TENURE) + 1) + tenure, np.int64)
