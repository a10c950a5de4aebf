"""A channel is a declaration, a module and a heading; with those three it is there."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from retinue.deliver import Outside, channels
from retinue.deliver.message import some
from retinue.deliver.readiness import lacking
from retinue.project.destinations import Destination
from tests.deliver.receivers import message

KINDS = sorted(set(Destination.model_fields) - {"per_minute", "admin"})
PAGE = Path(__file__).parents[2] / "docs/howto/deliver-alerts.md"
HEADINGS = {"email": "E-mail", "teams": "Microsoft Teams", "webhook": "Webhooks", "slack": "Slack"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_channel_that_can_be_declared_can_send_and_is_described(kind: str):
    module = __import__(f"{channels.__name__}.{kind}", fromlist=["send"])
    assert len(inspect.signature(module.send).parameters) == 4
    assert f"## {HEADINGS[kind]}\n" in PAGE.read_text() if kind in HEADINGS else "Apprise" in PAGE.read_text()


def test_there_is_no_module_that_cannot_be_declared():
    found = {path.stem for path in Path(channels.__file__).parent.glob("[a-z]*.py")}
    assert found == set(KINDS)


def test_what_destinations_lack_is_known_before_anything_is_sent(tmp_path: Path):
    (tmp_path / "pw").write_text("x")
    smtp = {"host": "h", "user": "u", "password": {"file": "pw"}}
    declared = {
        "mail": {"email": {"to": "owner", "from": "a@b.co", "smtp": smtp}},
        "slack": {"slack": {"url": {"env": "SLACK"}}},
        "crm": {"webhook": {"url": "https://a.example", "secret": [{"env": "NEW"}, {"env": "OLD"}]}},
        "teams": {"teams": {"url": {"file": "nowhere"}}},
    }
    destinations = {name: Destination.model_validate(one) for name, one in declared.items()}
    assert list(lacking(destinations, Outside(tmp_path, {"SLACK": "https://x", "NEW": " "}))) == [
        ("crm", "the environment variable NEW is empty"),
        ("crm", "the environment variable OLD is not there, or cannot be read"),
        ("teams", "the file nowhere is not there, or cannot be read"),
    ]


def test_of_many_lines_the_first_are_shown_and_the_others_counted():
    assert some(["a", "b", "c"], 3) == ["a", "b", "c"]
    assert some(["a", "b", "c", "d"], 3) == ["a", "b", "and 2 more"]
    digest = message(why=tuple(f"account {n}" for n in range(26)))
    for kind in ("slack", "teams"):
        module = __import__(f"{channels.__name__}.{kind}", fromlist=["payload"])
        shown = str(module.payload(digest) if kind == "slack" else module.payload(digest, 2000, 30, 250))
        assert all(f"account {n}" in shown for n in range(26))


def test_what_the_subject_says_is_not_said_again():
    told = message(subject="Acme fell", what="Acme fell")
    assert told.more == ""
    slack = __import__(f"{channels.__name__}.slack", fromlist=["payload"])
    assert str(slack.payload(told)["blocks"]).count("Acme fell") == 1
