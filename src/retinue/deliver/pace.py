"""How many messages a destination gets in a minute: a token bucket each, in memory."""

from __future__ import annotations

from datetime import datetime

#: Part of a minute's messages that may go at once.
_BURST = 6


class Pace:
    """Tokens by the name of a destination, full at first. A worker keeps one between its passes."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, datetime]] = {}

    def left(self, name: str, per_minute: int, now: datetime) -> int:
        """How many may go now."""
        return int(self._tokens(name, per_minute, now))

    def take(self, name: str, per_minute: int, now: datetime) -> None:
        """One goes."""
        self._held[name] = (self._tokens(name, per_minute, now) - 1, now)

    def _tokens(self, name: str, per_minute: int, now: datetime) -> float:
        most = max(1.0, per_minute / _BURST)
        tokens, at = self._held.get(name, (most, now))
        # A clock that goes back gives nothing, and takes nothing.
        seconds = max(0.0, (now - at).total_seconds())
        return min(most, tokens + seconds * per_minute / 60)
