"""A rival that may use everything the score uses, in any way it likes."""

from __future__ import annotations

from typing import Any

import numpy as np

from retinue.insight.replay import Bools, Coded, Floats, Replay
from retinue.insight.validation.discrimination import measured
from retinue.insight.validation.held_out import HeldOut, other_groups
from retinue.insight.validation.reliability import log_loss
from retinue.insight.validation.report import Challenger, iso
from retinue.insight.validation.sampling import Estimate, Resampling, interval

_MOST_NAMES = 50
"""Names of a segment or stage that the challenger tells apart; the rarer ones are one."""

_MOST_TREES = 150

NEEDED = 50
"""Events to learn from below which boosting says little."""


def challenger(rows: Replay, event: Bools, held: HeldOut, repetitions: int, seed: int) -> Challenger:
    """Gradient boosting on metrics, points, segment, stage and tenure; how many trees is told by half of the
    groups that it learns from."""
    if held.split is None:
        return _cannot_tell(held.reason or "no later rows to tell on")
    train, test = held.split.train, held.split.test
    learned = int(event[train].sum())
    if learned < NEEDED:
        return _cannot_tell(f"{learned} events to learn from, {NEEDED} are needed")
    risk = boosted(rows, event, train, test, seed)
    drawn = Resampling.of(rows.group[test], repetitions, seed)
    own, precision, own_drawn = measured(risk, event[test], drawn)
    score, _, score_drawn = measured(-rows.computed[test], event[test], drawn)
    return Challenger(
        auc=own,
        score_auc=score,
        ahead=interval(score.value - own.value, score_drawn - own_drawn),
        average_precision=precision.value,
        train_rows=len(train),
        train_events=learned,
        test_rows=len(test),
        test_events=int(event[test].sum()),
        cutoff=iso(held.cutoff) if held.cutoff is not None else None,
        reason=None,
    )


def boosted(rows: Replay, event: Bools, train: np.ndarray, test: np.ndarray, seed: int) -> Floats:
    """Log odds of the rows `test`, learned from the rows `train`, from metrics, points, segment, stage and
    tenure. The same seed gives the same numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    named = [_named(rows.segment), _named(rows.stage)]
    features = np.column_stack([*named, rows.tenure, rows.values, rows.points])
    there = ~np.isnan(features[train]).all(axis=0)
    there &= np.array([len(np.unique(one[~np.isnan(one)][:10_000])) > 1 for one in features[train].T])
    if not there.any():
        return np.zeros(len(test))
    which = np.arange(features.shape[1]) < len(named)
    learn, held = features[train][:, there], features[test][:, there]
    options: dict[str, Any] = {
        "learning_rate": 0.05,
        "max_leaf_nodes": 15,
        "min_samples_leaf": max(20, len(train) // 500),
        "l2_regularization": 1.0,
        "early_stopping": False,
        "categorical_features": which[there] if which[there].any() else None,
        "random_state": seed,
    }
    # Threads that wait for a busy processor cost far more here than they save.
    with threadpool_limits(1, user_api="openmp"):
        inner = other_groups(rows.group[train], seed)
        model = HistGradientBoostingClassifier(max_iter=_MOST_TREES, **options)
        model.fit(learn[inner.train], event[train][inner.train])
        losses = [
            log_loss(np.asarray(chance)[:, 1], event[train][inner.test])
            for chance in model.staged_predict_proba(learn[inner.test])
        ]
        # Half of the rows learned how many trees are enough, so all of them bear some more.
        trees = min(_MOST_TREES, int((int(np.argmin(losses)) + 1) * 1.3) + 1)
        model = HistGradientBoostingClassifier(max_iter=trees, **options)
        model.fit(learn, event[train])
        return np.asarray(model.decision_function(held), np.float64)


def _named(coded: Coded) -> Floats:
    counts = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.names))
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(order), np.float64)
    place[order] = np.minimum(np.arange(len(order)), _MOST_NAMES)
    if not len(place):
        return np.full(len(coded), np.nan)
    return np.where(coded.codes >= 0, place[np.maximum(coded.codes, 0)], np.nan)


def _cannot_tell(reason: str) -> Challenger:
    none = Estimate.none()
    return Challenger(none, none, none, float("nan"), 0, 0, 0, 0, None, reason)
