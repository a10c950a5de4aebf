"""A proposal for one scorecard from what happened; nothing of the project is changed."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from retinue import __version__
from retinue.errors import NotFound, RunError, TrialError
from retinue.insight.replay import spaced
from retinue.project.metrics import AnyMetric
from retinue.project.project import Project
from retinue.project.rewrite import rewritten
from retinue.project.scorecards import Measure, Points, Scorecard, Steps
from retinue.project.yaml import Where
from retinue.run.replay import Tried, tried
from retinue.warehouse.trace import Listener
from retinue.workspace import Workspace

if TYPE_CHECKING:
    from retinue.insight.tuning.tradeoff import Setting
    from retinue.insight.tuning.tune import Asked, Shape, Tuned

_LEAST = 0.01
"""The smallest weight that is written, in hundredths of its scorecard or component: 0 is no weight."""


@dataclass(frozen=True)
class Costs:
    """What an alert costs, the share of outcomes that it averts, and the ARR at stake, by default the median
    of the accounts of the scorecard."""

    alert: float
    uplift: float
    at_stake: float | None = None


@dataclass(frozen=True)
class Wishes:
    """What is to be proposed. `scorecard` is by default the one with the most outcomes, `level` what
    outcomes can tell apart. `cutoff` is the last day to learn from in the comparison on later time.
    `capacity` is of all accounts: a scorecard has the part that its accounts are of all. At most a share
    `alpha` of churners may be green.
    """

    scorecard: str | None = None
    level: Literal["components", "measures"] | None = None
    cutoff: date | None = None
    capacity: float | None = None
    costs: Costs | None = None
    alpha: float = 0.1


@dataclass(frozen=True)
class Proposal:
    """A scorecard file with the proposed numbers: `file` is its path in the project, `changed` says what is
    other than today."""

    file: str
    before: str
    text: str
    changed: tuple[str, ...]

    @property
    def diff(self) -> str:
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.text.splitlines(keepends=True),
            self.file,
            f"{self.file} (proposed)",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def write(self, project: Project, folder: Path) -> Path:
        """The file under `folder`, at its path in the project. Raises RunError rather than write over
        anything."""
        target = folder / self.file
        if target.resolve() == (project.root / self.file).resolve() or target.exists():
            raise RunError(f"{target} is there already", hint="name another folder with --out")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.text, encoding="utf-8")
        return target


@dataclass(frozen=True)
class Proposed:
    """What history proposes for one scorecard. `proposal` is None where today's numbers stay; `others` are
    outcomes on the counted snapshots of the other scorecards."""

    project: str
    tuned: Tuned
    proposal: Proposal | None
    others: dict[str, int]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract of `retinue tune`."""
        told = self.tuned.to_dict()
        proposal = self.proposal
        return {
            "project": self.project,
            "package": __version__,
            **told,
            "warnings": [*self.warnings, *told["warnings"]],
            "other_scorecards": self.others,
            "proposal": None
            if proposal is None
            else {
                "file": proposal.file,
                "changed": list(proposal.changed),
                "text": proposal.text,
                "diff": proposal.diff,
            },
        }


def tune(
    workspace: Workspace,
    *,
    now: datetime,
    wishes: Wishes | None = None,
    outcome: str | None = None,
    first: date | None = None,
    last: date | None = None,
    every: Literal["day", "week"] | None = None,
    progress: Listener | None = None,
) -> Proposed:
    """Propose numbers for a scorecard from the past, replayed as `tried` says.

    Raises TrialError where there is nothing to learn from, or where learning would deceive.
    """
    from retinue.insight.tuning.tune import tune as propose

    def say(text: str) -> None:
        if progress is not None:
            progress(text, 1.0)

    found = tried(workspace, now=now, outcome=outcome, first=first, last=last, every=every, progress=progress)
    project, wishes = workspace.project, wishes or Wishes()
    if found.rule.is_good:
        raise TrialError(
            f"the outcome {found.outcome.name} is wished for; weights and bands are learned from what is "
            "to be prevented",
            hint="name a loss with --outcome",
        )
    counts = _outcomes(found)
    card = _card(project, counts, wishes.scorecard)
    asked, told = _asked(found, card, wishes)
    tuned = propose(found.replay, found.events, found.labels, found.outcome, asked, say)
    return Proposed(
        project.settings.project,
        tuned,
        proposal(project, card, tuned),
        {name: events for name, events in counts.items() if name != card.scorecard},
        (*found.warnings, *told),
    )


def _outcomes(found: Tried) -> dict[str, int]:
    """By scorecard: outcomes on the snapshots that a trial counts."""
    rows = spaced(found.replay, found.labels, found.outcome.horizon)
    codes = found.replay.scorecard.codes[rows]
    inside = codes >= 0
    counts = np.bincount(
        codes[inside], found.labels.event[rows][inside], minlength=len(found.replay.scorecard.names)
    )
    return {name: int(n) for name, n in zip(found.replay.scorecard.names, counts.tolist(), strict=True)}


def _card(project: Project, counts: Mapping[str, int], name: str | None) -> Scorecard:
    fit = {card.scorecard: card for card in project.scorecards if card.roll_up is None}
    if name is not None:
        if name not in {card.scorecard for card in project.scorecards}:
            raise NotFound(f"there is no scorecard {name}", hint=f"declared: {', '.join(fit)}")
        if name not in fit:
            raise TrialError(
                f"the scorecard {name} rolls up the scores of children: it has no weights of its own",
                hint=f"tune theirs: {', '.join(fit)}" if fit else None,
            )
        return fit[name]
    if not fit:
        raise TrialError("no scorecard has weights of its own to tune")
    return max(fit.values(), key=lambda card: counts.get(card.scorecard, 0))


def _asked(found: Tried, card: Scorecard, wishes: Wishes) -> tuple[Asked, list[str]]:
    from retinue.insight.tuning.edges import Wanted
    from retinue.insight.tuning.thresholds import chance_of_cost
    from retinue.insight.tuning.tune import Asked
    from retinue.run.layers import day_number

    project, replay = found.project, found.replay
    mine = replay.scored & (replay.scorecard.codes == replay.scorecard.names.index(card.scorecard))
    warnings, chance, costs = [], None, wishes.costs
    most = wishes.capacity or project.settings.validation.capacity
    if costs is not None:
        stake = costs.at_stake
        if stake is None:
            arr = replay.arr[mine & (replay.arr > 0)]
            if not len(arr):
                raise TrialError("no account has an ARR", hint="say with --at-stake what an account is worth")
            stake = float(np.median(arr))
            warnings.append(f"at stake: {stake:,.0f}, the median ARR of the accounts of {card.scorecard}")
        chance, most = chance_of_cost(costs.alert, costs.uplift, stake), None
    elif most is not None and mine.sum() < replay.scored.sum():
        share = float(mine.sum() / replay.scored.sum())
        most = max(1.0, most * share)
        warnings.append(f"capacity {most:.0f}: {share:.0%} of the accounts are scored by {card.scorecard}")
    cards = {one.scorecard: one for one in project.scorecards}
    # Only the scorecard at hand need be unseen: the others are not judged here.
    learned = day_number(card.fitted.until) if card.fitted is not None else None
    return Asked(
        scorecard=card.scorecard,
        until=found.until,
        settings=tuple(_setting(cards[name]) for name in replay.scorecard.names),
        shapes=_shapes(card, project.metrics),
        wanted=Wanted(capacity=most, chance=chance, alpha=wishes.alpha),
        level=wishes.level,
        cutoff=day_number(wishes.cutoff) if wishes.cutoff is not None else None,
        learned_until=learned,
        explained=project.settings.validation.explained,
    ), warnings


def _setting(card: Scorecard) -> Setting:
    from retinue.insight.tuning.tradeoff import Setting

    told = card.stability
    return Setting(told.deadband, told.margin, float(told.confirm.down.days), float(told.confirm.up.days))


def _shapes(card: Scorecard, metrics: Mapping[str, AnyMetric]) -> dict[str, Shape]:
    return {
        f"{component}.{name}": _shape(measure, metrics.get(name))
        for component, told in card.components.items()
        for name, measure in told.measures.items()
    }


def _shape(measure: Measure, metric: AnyMetric | None) -> Shape:
    from retinue.insight.tuning.tune import Shape

    match measure.curve:
        case Points(points=knots):
            return Shape("points", _rises(knots))
        case Steps(steps=knots):
            return Shape("steps", _rises(knots))
        case "cohort":
            direction = measure.direction or (metric.direction if metric is not None else None)
            return Shape("cohort", direction != "lower_is_better")
        case _:
            return Shape("target", None)


def _rises(knots: tuple[tuple[float, float], ...]) -> bool | None:
    """Whether more is better; None where points go up and down."""
    steps = [b[1] - a[1] for a, b in itertools.pairwise(knots)]
    if all(step >= 0 for step in steps):
        return True
    return False if all(step <= 0 for step in steps) else None


# --- the file ------------------------------------------------------------------------------------


def proposal(project: Project, card: Scorecard, tuned: Tuned) -> Proposal | None:
    """The scorecard's file with what is proposed, None where nothing is."""
    changes: dict[Where, Any] = {}
    changed = []
    if tuned.weighing.adopted:
        changes |= _weights(card, tuned)
        changed.append(f"weights of {tuned.weighing.level}: {tuned.weighing.why}")
    bands = dict(zip(("watch", "healthy"), tuned.edges.proposed, strict=True))
    moved = {name: edge for name, edge in bands.items() if edge != dict(card.bands)[name]}  # type: ignore[index]
    if moved:
        if "bands" in card.model_fields_set:
            changes.update({("bands", name): edge for name, edge in moved.items()})
        else:
            changes["bands",] = {"at_risk": 0, **bands}
        changed.append(f"bands: {tuned.edges.why}")
    calm = _calm(card, tuned)
    if calm:
        changes |= calm
        changed.append("stability: fewer flaps, and no less warning, than today's setting")
    if not changes:
        return None
    until = str(date(1970, 1, 1) + timedelta(days=tuned.until))
    learned: dict[Where, Any] = {("fitted",): {"until": until, "events": tuned.weighing.events}}
    if card.fitted is not None:
        learned = {("fitted", "until"): until, ("fitted", "events"): tuned.weighing.events}
    changes = {**learned, **changes}
    place = project.place("scorecards", card.scorecard)
    assert place is not None
    before = project.texts[place.file]
    text = rewritten(before, "scorecard", card.scorecard, changes, place.file)
    return Proposal(place.file, before, text, tuple(changed))


def _weights(card: Scorecard, tuned: Tuned) -> dict[Where, Any]:
    """Weights as hundredths: of the scorecard for components, of their component for measures."""
    fitted = dict(zip(tuned.weighing.measures, tuned.weighing.proposed.tolist(), strict=True))
    changes: dict[Where, Any] = {}
    for component, told in card.components.items():
        own = {name: fitted.get(f"{component}.{name}", 0.0) for name in told.measures}
        total = sum(own.values())
        changes["components", component, "weight"] = _hundredths(total)
        if tuned.weighing.level == "measures" and len(own) > 1:
            for name, share in own.items():
                changes["components", component, "measures", name, "weight"] = _hundredths(
                    share / total if total > 0 else 0.0
                )
    return changes


def _hundredths(share: float) -> float:
    return max(_LEAST, round(100 * share, 2))


def _calm(card: Scorecard, tuned: Tuned) -> dict[Where, Any]:
    now, then = _setting(card), tuned.stability.suggested
    changes: dict[Where, Any] = {}
    if then.deadband != now.deadband:
        changes["stability", "deadband"] = then.deadband
    if then.margin != now.margin:
        changes["stability", "margin"] = then.margin
    if (then.down, then.up) != (now.down, now.up):
        stated = "confirm" in card.stability.model_fields_set
        days = {"down": f"{then.down:g}d", "up": f"{then.up:g}d"}
        changes |= (
            {("stability", "confirm", name): told for name, told in days.items()}
            if stated
            else {("stability", "confirm"): days}
        )
    if "stability" not in card.model_fields_set and changes:
        # One new key: several insertions below the same line would be several keys.
        return {("stability",): {path[1]: value for path, value in changes.items()}}
    return changes
