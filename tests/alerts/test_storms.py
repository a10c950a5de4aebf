"""A dip of everybody, a dead feed and another formula: one message each at most, as far as receivers see."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from retinue.deliver import Pace, deliver_due
from retinue.run.alerting import evaluate
from retinue.run.playing import advance
from retinue.store.tables import outbox
from retinue.workspace import Workspace
from tests.alerts.quarter import Quarter, draw
from tests.deliver.receivers import HttpReceiver, SmtpReceiver, http_receiver, outside, smtp_receiver

ACCOUNTS, SICK = 200, 7
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
RULES = """\
alerts:
  fell: {drop: 15, within: 7d}
  turned_red: {band: at_risk}
  adoption_falls: {component: adoption, by: 20, within: 7d}
  blind: {coverage_below: 0.5}
  feed: {feed_stopped: true}
  red_rising: {share_rising: {band: at_risk, by: segment, within: 7d}}
alerting: {to: [crm], portfolio_to: [crm, board], per_person: 500}
"""
WHERE = """\
destinations:
  crm: {{webhook: {{url: "http://hooks.example:{http}/in", secret: {{env: S}}, allow_private: [127.0.0.0/8]}},
        per_minute: 6000}}
  board: {{email: {{to: [board@acme.example], from: retinue@acme.example,
          smtp: {{host: 127.0.0.1, port: {smtp}, tls: none}}}}}}
"""


@dataclass
class World:
    """A calm company whose dates are looked at one by one, and what its receivers were sent."""

    quarter: Quarter
    workspace: Workspace
    hooks: HttpReceiver
    mails: SmtpReceiver
    seen: Counter[str] = field(default_factory=Counter)

    def day(self, place: int) -> dict[str, int]:
        """Publish, look, play and deliver; how many messages of each rule came to the webhook."""
        now = self.quarter.at(place, hour=12)
        self.quarter.publish(self.workspace, place)
        evaluate(self.workspace, now=now)
        advance(self.workspace, now=now)
        before, mails = len(self.hooks.requests), len(self.mails.mails)
        # Weekends wait: what is written today is sent by Monday.
        self.deliver(now + timedelta(days=3))
        told = Counter(one["data"]["rule"] for one in self.bodies()[before:])
        self.seen["mails"] = len(self.mails.mails) - mails
        return dict(told)

    def deliver(self, now: datetime) -> None:
        deliver_due(
            self.workspace.store,
            self.workspace.project.settings.destinations,
            clock=lambda: now,
            worker="w1",
            outside=outside({"S": SECRET}),
            pace=Pace(),
            chance=random.Random(3),
        )

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(one.body)["data"] for one in self.hooks.requests]

    def subjects(self) -> list[str]:
        return [str(message_from_bytes(one.content, policy=default)["subject"]) for one in self.mails.mails]


def calm() -> Quarter:
    """Sixteen dates on which nothing happens to 200 accounts, all at 80 points."""
    quarter = draw(ACCOUNTS, 18, seed=1)
    quarter.there[:] = True
    quarter.facts.clear()
    quarter.restated.clear()
    for name, value in (
        *(("computed", 80.0), ("band", 2), ("formula", 1), ("moved", 0.0), ("coverage", 1.0)),
        *(("adoption", 80.0), ("seats", 10.0), ("low", False), ("falling", False), ("held", False)),
    ):
        quarter.grid[name][:] = value
    return quarter


@contextmanager
def played(quarter: Quarter, folder: Path, rules: str = RULES) -> Iterator[World]:
    with http_receiver() as hooks, smtp_receiver() as mails:
        where = WHERE.format(http=hooks.port, smtp=mails.port)
        workspace = quarter.open(folder / "co", alerts=rules, playbooks="", destinations=where)
        yield World(quarter, workspace, hooks, mails)
        workspace.store.close()


def test_a_dip_of_everybody_is_one_message_and_a_real_drop_that_day_is_told_after_it(tmp_path: Path):
    quarter = calm()
    # Everybody falls on the ninth date and is back on the twelfth; some do not come back, one falls later.
    quarter.grid["computed"][8:11] = 60.0
    quarter.grid["computed"][8:, :SICK] = 60.0
    quarter.grid["computed"][13:, 100] = 55.0
    with played(quarter, tmp_path) as world:
        days = [world.day(place) for place in range(len(quarter.dates))]
    assert days[8] == {"fell": 1}
    assert world.bodies()[0]["subject"] == f"{ACCOUNTS} of {ACCOUNTS} accounts at once: fell"
    # One to the webhook, one by mail.
    assert world.subjects() == [f"{ACCOUNTS} of {ACCOUNTS} accounts at once: fell"]
    assert days[9] == days[10] == {}
    assert days[11] == {"fell": SICK}
    accounts = [one["account_id"] for one in world.bodies()[1 : 1 + SICK]]
    assert sorted(accounts) == [one.id for one in quarter.accounts[:SICK]]
    assert days[13] == {"fell": 1} and world.bodies()[-1]["account_id"] == quarter.accounts[100].id
    assert sum(sum(one.values()) for one in days) == 1 + SICK + 1


def test_a_dead_feed_is_one_message_and_another_when_it_dies_again(tmp_path: Path):
    quarter = calm()
    # Scores of accounts whose feed has stopped are held: they stay what they were.
    quarter.grid["held"][5:8] = True
    quarter.grid["held"][14:] = True
    rules = RULES.replace("feed: {feed_stopped: true}", "feed: {feed_stopped: true, rest: 2d}")
    with played(quarter, tmp_path, rules) as world:
        days = [world.day(place) for place in range(len(quarter.dates))]
    held = f"a feed has stopped: {ACCOUNTS} of {ACCOUNTS} accounts are held"
    assert world.subjects() == [held, held]
    assert [place for place, told in enumerate(days) if told] == [5, 14]
    assert days[5] == days[14] == {"feed": 1}


@pytest.mark.parametrize("rules", [RULES, RULES.replace("alerting: {", "alerting: {storm: 1.0, ")])
def test_another_formula_says_nothing_and_a_real_drop_after_it_is_told(tmp_path: Path, rules: str):
    quarter = calm()
    # From the seventh date on another formula takes 36 points of everybody: all are at risk.
    turn = 6
    quarter.grid["computed"][turn:] = 44.0
    quarter.grid["band"][turn:] = 0
    quarter.grid["adoption"][turn:] = 30.0
    quarter.grid["formula"][turn:] = 2
    quarter.grid["moved"][turn] = -36.0
    # One falls a little on top of it: no fall. Another falls by 20 of its own, two days after.
    quarter.grid["computed"][turn + 1 :, 1] = 40.0
    quarter.grid["computed"][turn + 2 :, 2] = 24.0
    with played(quarter, tmp_path, rules) as world:
        days = [world.day(place) for place in range(len(quarter.dates))]
    assert [place for place, told in enumerate(days) if told] == [turn + 2]
    assert days[turn + 2] == {"fell": 1}
    assert [one["account_id"] for one in world.bodies()] == [quarter.accounts[2].id]
    assert "20 points" in world.bodies()[0]["subject"]
    assert not np.any(quarter.grid["held"]) and not world.subjects()


def test_what_is_about_everybody_goes_where_alerts_go_unless_it_is_said_where(tmp_path: Path):
    quarter = calm()
    quarter.grid["held"][1:] = True
    where = (
        WHERE
        + "  own: {{email: {{to: owner, from: r@acme.example, smtp: {{host: 127.0.0.1, tls: none}}}}}}\n"
    )
    rules = RULES.replace("to: [crm], portfolio_to: [crm, board]", "to: [crm, own]")
    with http_receiver() as hooks, smtp_receiver() as mails:
        told = where.format(http=hooks.port, smtp=mails.port)
        workspace = quarter.open(tmp_path / "co", alerts=rules, playbooks="", destinations=told)
        world = World(quarter, workspace, hooks, mails)
        assert world.day(0) == {}
        assert world.day(1) == {"feed": 1}
        # Nobody looks after everybody: what goes to owners is not sent to nobody.
        with workspace.store.read() as connection:
            sent = connection.execute(select(outbox.c.destination)).scalars().all()
        workspace.store.close()
    assert set(sent) == {"crm"}
