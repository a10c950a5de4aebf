"""Weights from outcomes: a logistic model of the score with the declared weights as its prior.

    logit P(outcome within the horizon) = a - b (s / 10 - 5)
    s = sum_i w_i m_i s_i / sum_i w_i m_i       m: presence and freshness of measure i
    w = softmax(log w0 + theta)                 w0: the declared weights

where a cap or floor that acted holds the score, s is its level. log b ~ N(log 0.4, 1), and a Dirichlet
prior on w has its mode in theta at w0: the log prior is kappa sum w0 log w = -kappa KL(w0 || w) + const.
Kappa counts, roughly, events' worth of trust in the declared weights.

Rows of one group (an account with its children) are not independent. The log-likelihood is divided
by a design effect, the mean of tr(I^-1 J) with I the information of independent rows and J that of
groups, not below 1: the magnitude adjustment of composite likelihoods (Pauli, Racugno & Ventura 2011,
Statistica Sinica 21; Ribatet, Cooley & Davison 2012, Statistica Sinica 22). A row that is there again
counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retinue.insight.replay import Floats, Ints
from retinue.insight.tuning.evidence import Evidence, by_group, components, folds

SLOPE = 0.4
"""Prior median of b: ten points of score multiply the odds by exp(-0.4)."""
KAPPA = 10.0
KAPPAS = (1.0, 3.0, 10.0, 30.0)
MANY = 100
"""From as many events on kappa is chosen by cross-validation, below it is KAPPA."""
PARTS = 5


@dataclass(frozen=True)
class Fit:
    """The mode of the posterior, and its curvature there.

    `covariance` is of (a, log b, phi), where theta = basis @ phi: theta is only known up to a
    constant, so phi has one number less.
    """

    intercept: float
    slope: float
    weights: Floats
    declared: Floats
    kappa: float
    design_effect: float
    covariance: Floats

    def logit(self, score: Floats) -> Floats:
        return np.asarray(self.intercept - self.slope * (score / 10 - 5))


def fit(evidence: Evidence, kappa: float = KAPPA, design_effect: float | None = None) -> Fit:
    """The weights that history and the declared weights together speak for.

    Without an outcome, or with nothing but outcomes, exactly the declared weights.
    """
    evidence, k = evidence.once(), len(evidence.names)
    happened = float(evidence.event.mean()) if len(evidence) else 0.0
    if not 0 < happened < 1:
        rate = np.log((happened + 1e-9) / (1 - happened + 1e-9))
        none = np.zeros((k + 1, k + 1))
        return Fit(float(rate), SLOPE, evidence.declared, evidence.declared, kappa, 1.0, none)
    found = _mode(evidence, kappa, 1.0 if design_effect is None else design_effect)
    if design_effect is None:
        found = _mode(evidence, kappa, max(1.0, _design_effect(evidence, found)), start=found)
    return found


def objective(parameters: Floats, evidence: Evidence, kappa: float, effect: float) -> tuple[float, Floats]:
    """Minus the log posterior of (a, log b, phi), and its gradient."""
    w0, basis = evidence.declared, helmert(len(evidence.declared))
    log_weights = log_softmax(safe_log(w0) + basis @ parameters[2:])
    weights, slope = np.exp(log_weights), float(np.exp(parameters[1]))
    mass = evidence.presence @ weights
    mass = np.where(mass > 0, mass, 1.0)
    base = evidence.base(weights)
    score, free = evidence.ruled(base)
    logit = parameters[0] - slope * (score / 10 - 5)
    from scipy.special import expit

    residual = (evidence.event - expit(logit)) / effect
    likelihood = float(logit[evidence.event].sum() - np.logaddexp(0.0, logit).sum()) / effect
    away = float(parameters[1] - np.log(SLOPE))
    value = -likelihood - kappa * float(w0 @ (log_weights - safe_log(w0))) + 0.5 * away**2
    # d s / d theta_j = w_j m_j (s_j - s) / sum w m: the other terms of the softmax cancel.
    # Where a cap or floor holds the score, weights do not move it.
    pull = residual / mass if free is None else np.where(free, residual / mass, 0.0)
    leans = weights * (evidence.weighed.T @ pull - evidence.presence.T @ (pull * base))
    gradient = np.empty_like(parameters)
    gradient[0] = -residual.sum()
    gradient[1] = slope * float(residual @ (score / 10 - 5)) + away
    gradient[2:] = (slope / 10 * leans - kappa * (w0 - weights)) @ basis
    return value, gradient


def mode(found: Fit) -> Floats:
    phi = (safe_log(found.weights) - safe_log(found.declared)) @ helmert(len(found.weights))
    return np.concatenate([[found.intercept, np.log(found.slope)], phi])


@dataclass(frozen=True)
class Model:
    """The model at one point: `jacobian` [rows, parameters] is of the logit."""

    weights: Floats
    log_weights: Floats
    logit: Floats
    chance: Floats
    jacobian: Floats

    @classmethod
    def of(cls, parameters: Floats, evidence: Evidence) -> Model:
        basis = helmert(len(evidence.declared))
        log_weights = log_softmax(safe_log(evidence.declared) + basis @ parameters[2:])
        weights = np.exp(log_weights)
        mass = evidence.presence @ weights
        safe = np.where(mass > 0, mass, 1.0)
        base = evidence.base(weights)
        score, free = evidence.ruled(base)
        slope = np.exp(parameters[1])
        x = score / 10 - 5
        logit = parameters[0] - slope * x
        leans = weights * evidence.presence * (evidence.points - base[:, None]) / safe[:, None]
        if free is not None:
            leans *= free[:, None]
        jacobian = np.column_stack([np.ones(len(x)), -slope * x, (-slope / 10) * (leans @ basis)])
        from scipy.special import expit

        return cls(weights, log_weights, logit, np.asarray(expit(logit)), jacobian)


def _mode(evidence: Evidence, kappa: float, effect: float, start: Fit | None = None) -> Fit:
    from scipy.optimize import minimize

    k = len(evidence.names)
    happened = float(evidence.event.mean())
    at = np.zeros(k + 1)
    at[0], at[1] = np.log(happened / (1 - happened)), np.log(SLOPE)
    if start is not None:
        at = mode(start)
    # In coordinates in which the posterior is round as far as the curvature at the start tells.
    start_at = _precision(Model.of(at, evidence), kappa, effect)
    ridge = 1e-9 * np.trace(start_at) * np.eye(k + 1)
    root = np.linalg.inv(np.linalg.cholesky(start_at + ridge)).T

    def whitened(z: Floats) -> tuple[float, Floats]:
        value, gradient = objective(at + root @ z, evidence, kappa, effect)
        return value, gradient @ root

    found = minimize(
        whitened, np.zeros(k + 1), jac=True, method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-6},
    )  # fmt: skip
    best = at + root @ found.x
    model = Model.of(best, evidence)
    return Fit(
        intercept=float(best[0]),
        slope=float(np.exp(best[1])),
        weights=model.weights,
        declared=evidence.declared,
        kappa=kappa,
        design_effect=effect,
        covariance=np.asarray(np.linalg.pinv(_precision(model, kappa, effect), hermitian=True), np.float64),
    )


def _precision(model: Model, kappa: float, effect: float) -> Floats:
    """Of the posterior of (a, log b, phi): expected information of the rows, and the prior."""
    basis = helmert(len(model.weights))
    precision = fisher(model) / effect
    precision[1, 1] += 1.0
    spread = np.diag(model.weights) - np.outer(model.weights, model.weights)
    precision[2:, 2:] += kappa * basis.T @ spread @ basis
    return precision


def fisher(model: Model) -> Floats:
    """Expected information of independent rows: always positive semi-definite."""
    spread = model.chance * (1 - model.chance)
    return np.asarray((model.jacobian * spread[:, None]).T @ model.jacobian)


def _design_effect(evidence: Evidence, found: Fit) -> float:
    """How much more the score function varies between groups than independent rows would make it."""
    model = Model.of(mode(found), evidence)
    pulls = by_group(model.jacobian * (evidence.event - model.chance)[:, None], evidence.group)
    pulls = pulls - pulls.mean(axis=0)
    inverse = np.linalg.pinv(fisher(model), rcond=1e-10, hermitian=True)
    return float(np.trace(inverse @ (pulls.T @ pulls))) / len(inverse)


# --- how far to trust the declared weights, and whether the fitted ones are better ---------------


@dataclass(frozen=True)
class Gain:
    """Log-likelihood that the fitted weights add on accounts that they were not fitted on, with its
    standard error by group."""

    gain: float
    se: float

    @property
    def clear(self) -> bool:
        return self.gain > self.se

    def to_dict(self) -> dict[str, Any]:
        return {"log_likelihood": self.gain, "se": self.se, "clear": self.clear}


def gain(learn: Evidence, test: Evidence, found: Fit) -> Gain:
    """What `found`, fitted on `learn`, adds on `test` over the declared weights with a and b fitted."""
    return summed(log_likelihood(test, found) - log_likelihood(test, line(learn)), test.group)


def cross_validated(evidence: Evidence, kappas: tuple[float, ...], seed: int = 0) -> dict[float, Floats]:
    """By kappa and row: the log-likelihood gained on accounts left out, in folds that keep groups whole.

    Empty where there are too few outcomes for every fold to have two.
    """
    if evidence.events < 2 * PARTS:
        return {}
    fold = folds(evidence, PARTS, seed)
    told = {kappa: np.zeros(len(evidence)) for kappa in kappas}
    for part in range(PARTS):
        learn, left = evidence.at(fold != part), np.flatnonzero(fold == part)
        test, plain = evidence.at(left), line(learn)
        before = log_likelihood(test, plain)
        effect: float | None = None
        for kappa in kappas:
            found = fit(learn, kappa, effect)
            effect = found.design_effect
            told[kappa][left] = log_likelihood(test, found) - before
    return told


def best_kappa(evidence: Evidence, told: dict[float, Floats]) -> float:
    """KAPPA, unless there are MANY events and another does better on accounts left out by more than one
    standard error of the difference.

    Taking the highest whatever the difference makes intervals too narrow: with 150 to 450 outcomes
    those of 90 % covered planted weights in 50 to 97 % of samples, with this rule in 77 to 98 %, and
    with KAPPA alone in 82 to 98 %.
    """
    if evidence.events < MANY or KAPPA not in told:
        return KAPPA
    ahead = {kappa: summed(rows - told[KAPPA], evidence.group) for kappa, rows in told.items()}
    better = [kappa for kappa, one in ahead.items() if kappa != KAPPA and one.clear]
    return max(better, key=lambda kappa: ahead[kappa].gain, default=KAPPA)


def log_likelihood(evidence: Evidence, found: Fit) -> Floats:
    """By row."""
    logit = found.logit(evidence.rescored(found.weights))
    return np.asarray(np.where(evidence.event, logit, 0.0) - np.logaddexp(0.0, logit))


def summed(rows: Floats, group: Ints) -> Gain:
    """The sum of differences by row, with its standard error by group."""
    sums = by_group(rows, group)
    many = len(sums)
    se = float(np.sqrt(many) * np.std(sums, ddof=1)) if many > 1 else float("inf")
    return Gain(float(sums.sum()), se)


# --- does the declared score tell anything at all ------------------------------------------------


@dataclass(frozen=True)
class SlopeTest:
    """One-sided test that the outcome is rarer at higher scores: `z` with a standard error by group.

    `slope` is the fall of the logit per ten points.
    """

    slope: float
    se: float
    z: float
    p_value: float

    @property
    def signal(self) -> bool:
        return self.p_value < 0.05

    def to_dict(self) -> dict[str, Any]:
        return {
            "slope": self.slope,
            "se": self.se if np.isfinite(self.se) else None,
            "p_value": self.p_value,
            "signal": self.signal,
        }


def line(evidence: Evidence) -> Fit:
    """a and b with the declared weights as they are, by maximum likelihood; b may be negative."""
    a, b, _ = _line(evidence.rescored(evidence.declared) / 10 - 5, evidence.event)
    none = np.zeros((len(evidence.names) + 1,) * 2)
    return Fit(a, b, evidence.declared, evidence.declared, float("inf"), 1.0, none)


def slope_test(score: Floats, event: Any, group: Ints) -> SlopeTest:
    """Whether `score` (0 to 100) has anything to do with what happened.

    Cluster-robust variance with the G/(G-1) correction, and Student's t with as many degrees of
    freedom as there are groups with an outcome, less one: few outcomes make few independent facts.
    """
    from scipy.stats import t

    event = np.asarray(event, bool)
    struck = len(np.unique(group[event]))
    if struck < 2 or event.all():
        return SlopeTest(0.0, float("inf"), 0.0, 1.0)
    x = np.asarray(score, float) / 10 - 5
    a, b, information = _line(x, event)
    design = np.column_stack([np.ones(len(x)), -x])
    from scipy.special import expit

    pulls = by_group(design * (event - expit(a - b * x))[:, None], group)
    groups = len(pulls)
    inverse = np.linalg.pinv(information, hermitian=True)
    spread = inverse @ (pulls.T @ pulls) @ inverse * groups / max(groups - 1, 1)
    se = float(np.sqrt(max(spread[1, 1], 0.0)))
    z = b / se if se > 0 else 0.0
    return SlopeTest(b, se, z, float(t.sf(z, struck - 1)))


def _line(x: Floats, event: Any) -> tuple[float, float, Floats]:
    """(a, b, information) of logit P = a - b x by Newton's method, with a trace of a ridge, so that
    there is an answer where the outcomes separate."""
    from scipy.special import expit

    happened = float(np.mean(event))
    if not 0 < happened < 1:
        return float(np.log((happened + 1e-9) / (1 - happened + 1e-9))), 0.0, np.zeros((2, 2))
    design = np.column_stack([np.ones(len(x)), -x])
    ridge = np.diag([0.0, 1e-6 * len(x)])
    at = np.array([np.log(happened / (1 - happened)), 0.0])
    information = ridge
    for _ in range(50):
        chance = expit(design @ at)
        spread = np.maximum(chance * (1 - chance), 1e-12)
        information = (design * spread[:, None]).T @ design + ridge
        pull = design.T @ (event - chance) - ridge @ at
        step = np.linalg.lstsq(information, pull, rcond=None)[0]
        step /= max(1.0, float(np.abs(step).max()) / 2.0)
        at = at + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return float(at[0]), float(at[1]), information


# --- helpers ------------------------------------------------------------------------------------


def expanded(weights: Floats, evidence: Evidence, parts: Evidence) -> Floats:
    """Weights of measures from weights of components: measures keep their declared proportions."""
    if len(weights) == len(evidence.names):
        return weights
    place = {name: n for n, name in enumerate(parts.names)}
    at = np.array([place[name] for name in components(evidence.names)])
    return np.asarray(weights[at] * evidence.declared / parts.declared[at])


def safe_log(weights: Floats) -> Floats:
    return np.log(np.maximum(weights, 1e-300))


def log_softmax(theta: Floats) -> Floats:
    top = theta - theta.max(axis=-1, keepdims=True)
    return np.asarray(top - np.log(np.exp(top).sum(axis=-1, keepdims=True)))


def helmert(k: int) -> Floats:
    """[k, k-1] orthonormal columns, each adding to 0 (Helmert)."""
    basis = np.zeros((k, k - 1))
    for j in range(1, k):
        basis[:j, j - 1] = 1.0
        basis[j, j - 1] = -j
        basis[:, j - 1] /= np.sqrt(j * (j + 1))
    return basis
