"""A rival that may use everything the score uses, in any way it likes."""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Bools, Coded, Floats, Replay, check_apart
from retinue.insight.validation.discrimination import measured
from retinue.insight.validation.held_out import HeldOut
from retinue.insight.validation.report import Challenger, iso
from retinue.insight.validation.sampling import Estimate, Resampling, interval

_MOST_NAMES = 50
"""Names of a segment or stage that the challenger tells apart; the rarer ones are one."""

_LEAVES = (3, 15)
"""Leaves of a tree: one per hundred events, within these. With few events larger trees learn by heart: on
seven books drawn from a stated hazard, with 68 to 269 events, 15 leaves had AUC .67 to .81 where 3 had
.72 to .84."""

NEEDED = 50
"""Events to learn from below which boosting says little."""


def challenger(rows: Replay, event: Bools, held: HeldOut, repetitions: int, seed: int) -> Challenger:
    """Gradient boosting on metrics, points, segment, stage and tenure, against the score on the same rows."""
    if held.split is None:
        return _cannot_tell(held.reason or "no later rows to tell on")
    train, test = held.split.train, held.split.test
    check_apart(rows.group[train], rows.group[test])
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
    tenure. Risk never rises with points. The same seed gives the same numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    named = [_named(rows.segment), _named(rows.stage)]
    features = np.column_stack([*named, rows.tenure, rows.values, rows.points])
    there = ~np.isnan(features[train]).all(axis=0)
    there &= np.array([len(np.unique(one[~np.isnan(one)][:10_000])) > 1 for one in features[train].T])
    if not there.any():
        return np.zeros(len(test))
    places = np.arange(features.shape[1])
    named_there = (places < len(named))[there]
    learned = int(event[train].sum())
    model = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=150 if learned >= 100 * _LEAVES[1] else 100,
        max_leaf_nodes=int(np.clip(learned // 100, *_LEAVES)),
        min_samples_leaf=40,
        l2_regularization=10.0,
        early_stopping=False,
        categorical_features=named_there if named_there.any() else None,
        monotonic_cst=np.where(places < features.shape[1] - rows.points.shape[1], 0, -1)[there],
        random_state=seed,
    )
    # Threads that wait for a busy processor cost far more here than they save.
    with threadpool_limits(1, user_api="openmp"):
        model.fit(features[train][:, there], event[train])
        return np.asarray(model.decision_function(features[test][:, there]), np.float64)


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
