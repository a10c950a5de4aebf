"""What is true in the simulated company: every weight, hazard and effect that data are drawn from.

Change a value with `dataclasses.replace(TRUTH, ...)` and hand it to `simulate` to plant
another world: no effect, another base rate, a null score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

#: Order of the latent components in every array.
COMPONENTS = ("adoption", "service", "voice", "relationship", "payment")
SEGMENTS = ("smb", "mid", "enterprise", "group")


@dataclass(frozen=True)
class Indicator:
    """Something done early that changes the logit of churning in any week by `effect`.

    It is true of an account with `at_least` events in the first `within_days` days. It is
    drawn independently of latent health and segment.
    """

    event: str
    at_least: int
    within_days: int
    mean: float
    effect: float


@dataclass(frozen=True)
class Play:
    """A kind of intervention and what it adds to latent components in the week it starts.

    The addition then decays as any shock does, by `persistence` a week.
    """

    kind: str
    effect: Mapping[str, float]


@dataclass(frozen=True)
class Truth:
    """The parameters. Latent components have mean about 0 and standard deviation about 1.

    health = sum of weight x component. Each week an account under contract decides to leave
    with probability
    sigmoid(segment + renewal [in the week 28 days before a renewal date]
            + early_tenure x exp(-tenure in weeks / 26) - slope x health
            + indicators + shift [from shift_on])
    and its contract ends on the renewal date, or 28 days later outside of renewals.
    """

    weights: Mapping[str, float] = field(
        default_factory=lambda: {
            "adoption": 0.35,
            "service": 0.20,
            "voice": 0.15,
            "relationship": 0.20,
            "payment": 0.10,
        }
    )
    slope: float = 1.7
    segment: Mapping[str, float] = field(
        default_factory=lambda: {"smb": -6.7, "mid": -7.2, "enterprise": -7.7}
    )
    renewal: Mapping[int, float] = field(default_factory=lambda: {3: 3.8, 12: 5.2, 24: 5.4})
    early_tenure: float = 0.6
    shift: float = 0.0
    shift_on: date | None = None

    account_sd: float = 0.6
    persistence: float = 0.94
    weekly_sd: float = 0.27
    shared: float = 0.3

    champion_leaves_weekly: float = 0.005
    champion_shock: Mapping[str, float] = field(
        default_factory=lambda: {"relationship": -1.6, "adoption": -0.9, "voice": -0.4}
    )
    incident_shock: Mapping[str, float] = field(default_factory=lambda: {"service": -0.7, "voice": -0.5})
    onboarding_shock: float = 0.6

    #: At a renewal that is not lost: contraction, then expansion; weekly: expansion, referral.
    #: Each is sigmoid(intercept + slope x health).
    contracted: tuple[float, float] = (-2.3, -1.0)
    expanded: tuple[float, float] = (-1.4, 0.8)
    expanded_weekly: tuple[float, float] = (-6.3, 0.8)
    referred_weekly: tuple[float, float] = (-7.2, 1.0)

    indicators: tuple[Indicator, ...] = (
        Indicator("integration_connected", 3, 60, 2.4, -0.8),
        Indicator("user_invited", 5, 60, 4.4, -0.6),
        Indicator("project_published", 2, 30, 1.6, -0.6),
    )
    #: Weekly rates that have nothing to do with anything but lifetime.
    placebos: Mapping[str, float] = field(
        default_factory=lambda: {"theme_changed": 0.25, "avatar_changed": 0.15, "shortcut_used": 0.4}
    )
    #: Weekly rates that depend on the segment only: associated with churn, without effect.
    confounded: Mapping[str, Mapping[str, float]] = field(
        default_factory=lambda: {
            "sso_configured": {"smb": 0.01, "mid": 0.06, "enterprise": 0.18},
            "api_key_created": {"smb": 0.03, "mid": 0.10, "enterprise": 0.22},
            "audit_exported": {"smb": 0.01, "mid": 0.08, "enterprise": 0.25},
            "sandbox_created": {"smb": 0.02, "mid": 0.07, "enterprise": 0.15},
        }
    )

    plays: tuple[Play, ...] = (
        Play("success_plan", {"relationship": 0.6, "adoption": 0.5}),
        Play("webinar_invitation", {}),
    )
    #: A play may start in the week after (health + noise) falls below this line.
    play_below: float = -1.0
    play_noise: float = 0.2
    play_share: float = 0.5

    late_share: float = 0.02
    duplicate_share: float = 0.003
    missing_user_share: float = 0.005
    malformed_share: float = 0.004

    def shock(self, of: Mapping[str, float]) -> list[float]:
        """`of` as a vector in the order of COMPONENTS."""
        return [float(of.get(name, 0.0)) for name in COMPONENTS]

    def to_dict(self) -> dict[str, Any]:
        told = asdict(self)
        told["shift_on"] = self.shift_on.isoformat() if self.shift_on else None
        return told


TRUTH = Truth()
