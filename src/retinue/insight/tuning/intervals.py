"""How sure fitted weights are: draws of their posterior, on all of the simplex.

The prior is Jeffreys' with kappa observations at the declared weights, Dirichlet(1/2 + kappa w0). The
Dirichlet(kappa w0) that has its mode in theta at w0 has a spike at 0 where kappa w0 is small: under it
a planted weight of .05, declared as .03, was covered in 70 % of samples, under this one in 95 %.

The likelihood is smooth in a and beta = b w also where a weight is 0; in theta, which runs off to minus
infinity there, it is not, and a Laplace approximation in theta has upper ends near 1. So the
likelihood is taken as quadratic in (a, beta) around the mode, the posterior drawn from by an ensemble
of walkers (Goodman & Weare 2010, Comm. App. Math. Comp. Sci. 5: 65-80), and the draws weighed by what
the likelihood really is, where rows are few enough for that to matter.
"""

from __future__ import annotations

import numpy as np

from retinue.insight.replay import Floats
from retinue.insight.tuning.evidence import Evidence
from retinue.insight.tuning.weights import SLOPE, Fit, Model, helmert, log_softmax, mode, safe_log

WALKERS, STEPS, KEPT = 100, 600, 20
"""Of each walker the KEPT last states that lie STEPS / 2 / KEPT steps apart are drawn."""
_CORRECTED = 20_000
"""Rows up to which draws are weighed by the exact likelihood."""


def interval(evidence: Evidence, found: Fit, level: float = 0.9, seed: int = 0) -> tuple[Floats, Floats]:
    """Lower and upper end for each weight, given the prior; `found` is fitted on `evidence`."""
    if not found.covariance.any():
        return found.weights, found.weights
    evidence = evidence.once()
    drawn, surrogate = _draws(evidence, found, seed)
    k = len(found.weights)
    weights = np.exp(log_softmax(safe_log(found.declared) + drawn[:, 2:] @ helmert(k).T))
    mass = np.full(len(drawn), 1 / len(drawn))
    if len(evidence) <= _CORRECTED:
        off = _exact(evidence, found, drawn, weights) - surrogate
        told = np.exp(off - off.max())
        told /= told.sum()
        # Too few draws that matter say less than the approximation.
        if 1 / float((told**2).sum()) >= len(drawn) / 10:
            mass = told
    tail = (1.0 - level) / 2
    ends = [_quantile(weights, mass, part) for part in (tail, 1 - tail)]
    return np.minimum(ends[0], found.weights), np.maximum(ends[1], found.weights)


def _draws(evidence: Evidence, found: Fit, seed: int) -> tuple[Floats, Floats]:
    """(draws of (a, log b, phi), their log-likelihood as the quadratic has it)."""
    k, random = len(found.weights), np.random.default_rng(seed)
    gradient, curvature, at = _quadratic(evidence, found)
    basis, base = helmert(k), safe_log(found.declared)
    pseudo = found.kappa * found.declared + 0.5

    def likelihood(x: Floats) -> Floats:
        weights = np.exp(log_softmax(base + x[:, 2:] @ basis.T))
        away = np.column_stack([x[:, 0], np.exp(x[:, 1:2]) * weights]) - at
        return np.asarray(away @ gradient - 0.5 * np.einsum("ij,ij->i", away @ curvature, away))

    def posterior(x: Floats) -> Floats:
        log_weights = log_softmax(base + x[:, 2:] @ basis.T)
        prior = log_weights @ pseudo - 0.5 * (x[:, 1] - np.log(SLOPE)) ** 2
        return np.asarray(likelihood(x) + prior)

    values, vectors = np.linalg.eigh(found.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    many = max(WALKERS, 4 * (k + 1))
    walkers = mode(found) + random.standard_normal((2, many // 2, k + 1)) @ root.T * 0.5
    height = np.stack([posterior(half) for half in walkers])
    kept = []
    for step in range(STEPS):
        for half in (0, 1):
            own, other = walkers[half], walkers[1 - half]
            stretch = (random.random(len(own)) + 1.0) ** 2 / 2.0
            there = other[random.integers(0, len(other), len(own))]
            moved = there + stretch[:, None] * (own - there)
            found_height = posterior(moved)
            odds = k * np.log(stretch) + found_height - height[half]
            taken = np.log(random.random(len(own))) < odds
            walkers[half][taken], height[half][taken] = moved[taken], found_height[taken]
        if step >= STEPS // 2 and (STEPS - 1 - step) % (STEPS // 2 // KEPT) == 0:
            kept.append(walkers.reshape(-1, k + 1).copy())
    drawn = np.concatenate(kept)
    return drawn, likelihood(drawn)


def _quadratic(evidence: Evidence, found: Fit) -> tuple[Floats, Floats, Floats]:
    """Gradient and information of the log-likelihood in (a, b w), over the design effect, and the mode."""
    model = Model.of(mode(found), evidence)
    base = evidence.base(found.weights)
    score, free = evidence.ruled(base)
    mass = evidence.presence @ found.weights
    mass = np.where(mass > 0, mass, 1.0)
    leans = evidence.presence * (evidence.points - base[:, None]) / (10 * mass[:, None])
    if free is not None:
        leans *= free[:, None]
    design = np.column_stack([np.ones(len(base)), -((score / 10 - 5)[:, None] + leans)])
    gradient = design.T @ (evidence.event - model.chance) / found.design_effect
    spread = model.chance * (1 - model.chance)
    curvature = (design * spread[:, None]).T @ design / found.design_effect
    return gradient, curvature, np.concatenate([[found.intercept], found.slope * found.weights])


def _exact(evidence: Evidence, found: Fit, drawn: Floats, weights: Floats) -> Floats:
    """The log-likelihood of draws, over the design effect."""
    told = np.empty(len(drawn))
    struck, level = evidence.event.astype(float), evidence.score[:, None]
    rules = None
    if evidence.adjustment.any():
        rules = evidence.adjustment[:, None] < 0, evidence.adjustment[:, None] > 0
    for part in np.array_split(np.arange(len(drawn)), max(1, len(drawn) // 50)):
        base = (evidence.weighed @ weights[part].T) / np.maximum(evidence.presence @ weights[part].T, 1e-300)
        if rules is not None:
            held = (rules[0] & (base >= level)) | (rules[1] & (base <= level))
            base = np.where(held, level, base)
        logit = drawn[part, 0] - np.exp(drawn[part, 1]) * (base / 10 - 5)
        told[part] = (struck @ logit - np.logaddexp(0.0, logit).sum(axis=0)) / found.design_effect
    return told


def _quantile(values: Floats, mass: Floats, part: float) -> Floats:
    order = np.argsort(values, axis=0)
    reached = np.cumsum(mass[order], axis=0)
    at = np.minimum((reached < part).sum(axis=0), len(values) - 1)
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, at[None, :], 0), 0)[0])
