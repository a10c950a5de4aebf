"""One pass over the outbox: what is due is claimed, sent, and settled."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from retinue.deliver import channels
from retinue.deliver.failures import LONGEST_REST, MOST_ATTEMPTS, NotDelivered, refused, wait
from retinue.deliver.message import Message
from retinue.deliver.outside import Outside
from retinue.deliver.pace import Pace
from retinue.project.destinations import Destination, Email
from retinue.store.database import Store
from retinue.store.work import outbox
from retinue.store.work.outbox import Claimed, Row

#: How long a worker has what it claimed, and each message once it is begun: longer than any takes.
LEASE = timedelta(minutes=5)
_BATCH = 20


@dataclass(frozen=True)
class Delivered:
    """What a pass did: messages sent, to be tried again, given up, and given back untried."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    given_back: int = 0
    disabled: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "disabled": list(self.disabled)}


def deliver_due(
    store: Store,
    destinations: Mapping[str, Destination],
    *,
    clock: Callable[[], datetime],
    worker: str,
    outside: Outside,
    pace: Pace,
    chance: random.Random,
    stop: Callable[[], bool] = lambda: False,
) -> Delivered:
    """Send what is due, until nothing is or `stop` says so; the message at hand is finished then.

    `clock` gives aware times, `worker` is a name that no other has. What `stop` or an exception leaves
    untried is given back at once. Raises StoreError; what a receiver does raises nothing.
    """
    one = _Pass(store, destinations, clock, outside, pace, chance)
    while not stop():
        now = clock()
        shares = {name: pace.left(name, to.per_minute, now) for name, to in destinations.items()}
        claimed = outbox.claim(store, worker, now=now, limit=_BATCH, lease=LEASE, shares=shares)
        if not claimed:
            break
        one.batch(claimed, stop)
    return Delivered(**one.counts, disabled=tuple(one.disabled))


@dataclass
class _Pass:
    store: Store
    destinations: Mapping[str, Destination]
    clock: Callable[[], datetime]
    outside: Outside
    pace: Pace
    chance: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    disabled: list[str] = field(default_factory=list)

    def batch(self, claimed: list[Claimed], stop: Callable[[], bool]) -> None:
        """Try each in order. A destination that failed as a whole gets no more of them."""
        away: set[str] = set()
        untried = list(claimed)
        back: list[Claimed] = []
        try:
            while untried:
                if stop():
                    break
                one = untried.pop(0)
                if one.destination in away:
                    back.append(one)
                elif not self.one(one):
                    away.add(one.destination)
        finally:
            self.counts["given_back"] += len(back) + len(untried)
            outbox.give_back(self.store, [*back, *untried])

    def one(self, claimed: Claimed) -> bool:
        """Try one; False where its destination should get no more for now."""
        begun = outbox.begin(self.store, claimed, now=self.clock(), lease=LEASE)
        if begun is None:
            return True
        return self._tried(begun)

    def _tried(self, claimed: Claimed) -> bool:
        try:
            note = self._send(claimed)
        except NotDelivered as failure:
            return self._failed(claimed, failure)
        except Exception as error:  # noqa: BLE001 - one that cannot be made must not keep all others
            what = f"it cannot be sent: an unexpected {type(error).__name__}"
            return self._failed(claimed, NotDelivered(what, counts=False))
        except BaseException:
            # We are being ended in the middle. Whether it arrived, its receiver knows by its key.
            outbox.retry(self.store, claimed, "the worker was ended meanwhile", at=self.clock())
            raise
        outbox.sent(self.store, claimed, now=self.clock(), note=note)
        self.counts["sent"] += 1
        return True

    def _send(self, claimed: Claimed) -> str | None:
        destination = self.destinations.get(claimed.destination)
        if destination is None:
            raise refused("no destination of this name is declared", counts=False)
        if claimed.attempts > MOST_ATTEMPTS:
            # Each attempt ended with its worker: perhaps it is the message that ends them.
            raise refused(f"it was tried {MOST_ATTEMPTS} times, and no attempt came to an end", counts=False)
        try:
            message = Message.from_dict({**claimed.payload, "key": claimed.id})
        except (KeyError, TypeError, ValueError):
            raise refused("what is in the outbox is no message", counts=False) from None
        now = self.clock()
        self.pace.take(claimed.destination, destination.per_minute, now)
        return channels.send(destination, message, self.outside, now)

    def _failed(self, claimed: Claimed, failure: NotDelivered) -> bool:
        now = self.clock()
        if claimed.attempts >= failure.final_after:
            self.counts["dead"] += 1
            told = self._notices(claimed.destination, failure.message, now)
            disabled = outbox.bury(
                self.store,
                claimed,
                failure.message,
                now=now,
                counts=failure.counts,
                at_once=failure.gone,
                tell=told,
            )
            if disabled:
                self.disabled.append(claimed.destination)
            return not disabled
        self.counts["retried"] += 1
        asked = failure.asked or timedelta(0)
        at = now + max(asked, wait(claimed.attempts, self.chance))

        def rest(stumbles: int) -> datetime:
            return now + max(asked, wait(stumbles, self.chance, LONGEST_REST))

        outbox.retry(self.store, claimed, failure.message, at=at, rest=rest if failure.rests else None)
        return not failure.rests

    def _notices(self, name: str, reason: str, now: datetime) -> Iterable[Row]:
        """What admins are told where this disables a destination."""
        for other, destination in self.destinations.items():
            nobody = isinstance(destination.channel, Email) and destination.channel.to == "owner"
            if destination.admin and other != name and not nobody:
                yield Message(
                    key=outbox.key("destination disabled", name, now.isoformat(), other),
                    kind="destination_disabled",
                    subject=f"Retinue sends nothing to {name} any more",
                    what=f"The destination {name} refused {outbox.GIVE_UP_AFTER} messages in a row, "
                    "or said that it is no more. Messages to it wait for a week.",
                    why=(reason,),
                    do=(
                        "Put right what is wrong.",
                        "Enable the destination again, and replay what was given up.",
                    ),
                    at=now,
                ).row(other)
