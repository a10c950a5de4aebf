"""A pass over the outbox, with receivers that behave as they do."""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from retinue.deliver import Delivered, Message, Pace, deliver_due
from retinue.deliver.failures import MOST_ATTEMPTS
from retinue.deliver.passing import LEASE
from retinue.project.destinations import Destination
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR
from retinue.store.work import destinations as places
from retinue.store.work import outbox
from tests.deliver.receivers import LOOPBACK, NOW, Answer, http_receiver, message, outside, smtp_receiver

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
GONE = "http://hooks.example:1/in"


def hook(url: str, **more) -> Destination:
    declared = {"url": url, "secret": {"env": "S"}, "allow_private": LOOPBACK}
    return Destination.model_validate({"webhook": declared, "per_minute": 6000, **more})


@dataclass
class Office:
    """A store, its destinations, and a clock that goes when it is told to."""

    store: Store
    destinations: dict[str, Destination]
    now: datetime = NOW
    pace: Pace = field(default_factory=Pace)
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    environ: dict[str, str] = field(default_factory=lambda: {"S": SECRET})

    def put(self, *keys: str, to: str = "crm", **more) -> None:
        with self.store.write() as connection:
            rows = [message(key, **more).row(to, due_at=self.now) for key in keys]
            outbox.enqueue(connection, rows, now=self.now)

    def deliver(self, stop: Callable[[], bool] = lambda: False, **more) -> Delivered:
        return deliver_due(
            self.store,
            self.destinations,
            clock=lambda: self.now,
            worker="w1",
            outside=outside(self.environ, **more),
            pace=self.pace,
            chance=self.chance,
            stop=stop,
        )

    def days(self, count: float, step: timedelta = timedelta(minutes=10)) -> Delivered:
        """Pass after pass, and all that they did."""
        passes, end = [], self.now + timedelta(days=count)
        while self.now < end:
            passes.append(self.deliver())
            self.now += step
        counts = {name: sum(getattr(one, name) for one in passes) for name in ("sent", "retried", "dead")}
        return Delivered(**counts, disabled=tuple(name for one in passes for name in one.disabled))

    def row(self, key: str):
        with self.store.read() as connection:
            return connection.execute(text("SELECT * FROM outbox WHERE id = :id"), {"id": key}).one()

    def standing(self, name: str):
        return next(one for one in places.states(self.store, OPERATOR) if one.name == name)


def test_what_is_due_is_sent_once_by_the_channel_of_its_destination(store: Store):
    with http_receiver() as receiver, smtp_receiver() as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
        mail = Destination.model_validate({"email": {"to": "owner", "from": "r@example.com", "smtp": smtp}})
        office = Office(store, {"crm": hook(receiver.url), "mail": mail})
        office.put("a", "b")
        office.put("c", to="mail")
        assert office.deliver() == Delivered(sent=3)
        assert office.deliver() == Delivered()
        assert [one.headers["webhook-id"] for one in receiver.requests] == ["a", "b"]
        assert len(server.mails) == 1


def test_what_fails_is_tried_again_until_it_is_taken(store: Store):
    answers = [Answer(500), Answer(drop="before"), Answer(503)]
    with http_receiver(lambda _request: answers.pop(0) if answers else Answer()) as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put("a")
        whole = office.days(0.1, step=timedelta(seconds=10))
    assert (whole.sent, whole.retried, whole.dead) == (1, 3, 0)
    assert {one.headers["webhook-id"] for one in receiver.requests} == {"a"}
    assert len({one.body for one in receiver.requests}) == 1
    assert office.row("a").last_error is None


def test_a_receiver_that_asks_for_time_gets_it_for_all_its_messages(store: Store):
    with http_receiver(lambda _request: Answer(429, {"Retry-After": "600"})) as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put("a", "b", "c")
        assert office.deliver() == Delivered(retried=1, given_back=2)
        office.now += timedelta(seconds=599)
        assert office.deliver() == Delivered()
        office.now += timedelta(seconds=1)
        receiver.answers = lambda _request: Answer()
        assert office.deliver() == Delivered(sent=3)
    assert [office.row(key).attempts for key in "abc"] == [2, 1, 1]


def test_a_destination_that_is_down_keeps_no_other_waiting(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"down": hook(GONE), "up": hook(receiver.url)})
        office.put(*(f"d{n}" for n in range(100)), to="down")
        office.now += timedelta(seconds=1)
        office.put(*(f"u{n}" for n in range(30)), to="up")
        told = office.deliver()
    assert (told.sent, told.retried) == (30, 1)


def test_a_destination_that_is_down_is_tried_less_and_less_and_loses_nothing(store: Store):
    with http_receiver(lambda _request: Answer(503)) as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put(*(f"k{n}" for n in range(40)))
        office.days(0.25, step=timedelta(minutes=2))
        tried = len(receiver.requests)
        # Six hours with a rest of 7.5 minutes on average are 48 tries, and a few more at first.
        assert 30 < tried < 90
        receiver.answers = lambda _request: Answer()
        assert office.days(1).sent == 40
        assert office.standing("crm").dead == 0


def test_what_is_refused_for_good_goes_to_the_dead_letters(store: Store):
    with http_receiver(lambda _request: Answer(403)) as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put("a")
        assert office.deliver() == Delivered(dead=1)
        (dead,) = outbox.dead(store, OPERATOR)
        assert (dead.id, dead.last_error) == ("a", "the receiver answers 403")
        receiver.answers = lambda _request: Answer()
        outbox.replay(store, OPERATOR, "a", now=NOW)
        assert office.deliver() == Delivered(sent=1)
    assert outbox.dead(store, OPERATOR) == []


def test_a_destination_that_refuses_all_is_disabled_and_admins_are_told_once(store: Store):
    with http_receiver(lambda _request: Answer(401)) as receiver, http_receiver() as admins:
        office = Office(
            store,
            {
                "crm": hook(receiver.url, admin=True),
                "ops": hook(admins.url, admin=True),
                "other": hook(admins.url),
            },
        )
        office.put(*(f"k{n}" for n in range(12)))
        told = office.deliver()
        assert (told.dead, told.disabled, told.sent) == (5, ("crm",), 1)
        assert len(receiver.requests) == 5
        office.days(1)
        (notice,) = admins.requests
        assert b"Retinue sends nothing to crm any more" in notice.body
        assert b"the receiver answers 401" in notice.body
        assert office.standing("crm").waiting == 7
        receiver.answers = lambda _request: Answer()
        places.enable(store, OPERATOR, "crm", now=office.now)
        assert office.deliver().sent == 7


def test_a_receiver_that_says_it_is_gone_is_disabled_at_once(store: Store):
    with http_receiver(lambda _request: Answer(410)) as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put("a", "b")
        told = office.deliver()
    assert (told.dead, told.disabled, len(receiver.requests)) == (1, ("crm",), 1)


def test_a_receiver_that_fails_for_days_is_given_up_and_admins_are_told(store: Store):
    with http_receiver(lambda _request: Answer(500)) as receiver, http_receiver() as admins:
        office = Office(store, {"crm": hook(receiver.url), "ops": hook(admins.url, admin=True)})
        office.put(*(f"k{n}" for n in range(5)))
        whole = office.days(4, step=timedelta(hours=1))
        assert (whole.dead, whole.disabled) == (5, ("crm",))
        assert len(receiver.requests) == 5 * MOST_ATTEMPTS
        assert len(admins.requests) == 1


def test_a_setting_that_is_missing_loses_nothing_for_a_day(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"crm": hook(receiver.url)}, environ={})
        office.put("a", "b")
        assert office.days(0.5).dead == 0
        assert office.standing("crm").reason == "the environment variable S is not there, or cannot be read"
        office.environ["S"] = SECRET
        assert office.days(0.5).sent == 2


def test_messages_that_cannot_be_sent_as_they_are_blame_nobody(store: Store):
    with http_receiver() as receiver, smtp_receiver() as server:
        smtp = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
        mail = Destination.model_validate({"email": {"to": "owner", "from": "r@example.com", "smtp": smtp}})
        office = Office(store, {"crm": hook(receiver.url), "mail": mail})
        office.put(*(f"n{n}" for n in range(8)), to="mail", address=None)
        office.put("undeclared", to="nowhere")
        with store.write() as connection:
            rows = [outbox.Row(f"x{n}", "crm", "k", "s", {"at": "soon"}, NOW) for n in range(8)]
            outbox.enqueue(connection, rows, now=NOW)
        office.put("good")
        assert office.deliver() == Delivered(sent=1, dead=17)
    reasons = {one.last_error for one in outbox.dead(store, OPERATOR)}
    assert reasons == {
        "it is for Ann, and no e-mail address of theirs is known",
        "no destination of this name is declared",
        "what is in the outbox is no message",
    }


def test_what_we_did_not_think_of_keeps_no_other_waiting(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"crm": hook(receiver.url), "odd": hook("http://odd.example:1/")})
        office.put("a", to="odd")
        office.put("b")

        def resolve(host: str, _port: int) -> list[str]:
            if host == "odd.example":
                raise LookupError("s3cret")
            return ["127.0.0.1"]

        assert office.deliver(resolve=resolve) == Delivered(sent=1, retried=1)
    assert office.row("a").last_error == "it cannot be sent: an unexpected LookupError"


def test_a_pace_is_kept_over_passes(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"crm": hook(receiver.url, per_minute=60)})
        office.put(*(f"k{n:02}" for n in range(40)))
        sent = []
        for _ in range(4):
            sent.append(office.deliver().sent)
            office.now += timedelta(seconds=5)
    assert sent == [10, 5, 5, 5]
    assert office.standing("crm").failures == 0


def test_being_stopped_finishes_the_message_at_hand_and_gives_back_the_others(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put(*(f"k{n}" for n in range(10)))
        told = office.deliver(stop=lambda: len(receiver.requests) >= 3)
        assert (told.sent, told.given_back) == (3, 7)
        # At once, and not when a lease ends.
        assert office.deliver().sent == 7
    assert office.row("k9").attempts == 1


def test_being_ended_in_the_middle_leaves_nothing_to_wait_for_a_lease(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put("a", "b", "c")
        answers = [Answer()]

        def resolve(*_args: object) -> list[str]:
            if not answers:
                raise KeyboardInterrupt
            answers.pop()
            return ["127.0.0.1"]

        with pytest.raises(KeyboardInterrupt):
            office.deliver(resolve=resolve)
        assert len(receiver.requests) == 1
        assert office.deliver() == Delivered(sent=2)
    assert [office.row(key).attempts for key in "abc"] == [1, 2, 1]


def test_what_ends_its_worker_each_time_is_given_up(store: Store):
    office = Office(store, {"crm": hook(GONE)})
    office.put("poison")
    for n in range(MOST_ATTEMPTS):
        (one,) = outbox.claim(store, f"w{n}", now=office.now, limit=1, lease=LEASE)
        assert outbox.begin(store, one, now=office.now, lease=LEASE).attempts == n + 1
        office.now += LEASE
    assert office.deliver() == Delivered(dead=1)
    assert "no attempt came to an end" in outbox.dead(store, OPERATOR)[0].last_error


def test_two_workers_at_once_send_each_message_once(store: Store):
    with http_receiver() as receiver:
        office = Office(store, {"crm": hook(receiver.url)})
        office.put(*(f"k{n:02}" for n in range(60)))
        others = [Office(store, office.destinations) for _ in range(2)]
        threads = [threading.Thread(target=one.deliver) for one in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one.headers["webhook-id"] for one in receiver.requests) == [
            f"k{n:02}" for n in range(60)
        ]


def test_a_message_is_the_same_after_the_outbox(store: Store):
    made = message("k1", data={"a": [1, None, "ü"]}, what="odd \0 \ud83d text")
    with store.write() as connection:
        outbox.enqueue(connection, [made.row("crm")], now=NOW)
    (one,) = outbox.claim(store, "w", now=NOW, limit=1, lease=LEASE)
    assert Message.from_dict(one.payload) == made
    with pytest.raises(ValueError, match="isoformat"):
        Message.from_dict({**one.payload, "at": "soon"})
