"""Apprise, for the services that have no channel of their own."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from retinue.deliver.channels.apprise import send
from retinue.deliver.failures import NotDelivered
from retinue.project.destinations import Apprise
from tests.deliver.receivers import NOW, Answer, http_receiver, message, outside

#: Of what Apprise imports, on versions of Python that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
CHANNEL = Apprise.model_validate({"url": {"env": "URL"}})


def test_a_message_goes_by_the_url_of_a_service(caplog: pytest.LogCaptureFixture):
    pytest.importorskip("apprise")
    caplog.set_level(logging.DEBUG)
    with http_receiver() as receiver:
        environ = {"URL": f"json://ann:s3cret@127.0.0.1:{receiver.port}/in/s3cret"}
        send(CHANNEL, message(), outside(environ), NOW)
        told = json.loads(receiver.requests[0].body)
        assert told["title"] == "Acme fell to At risk"
        assert "Call them this week." in told["message"]
        receiver.answers = lambda _request: Answer(500)
        with pytest.raises(NotDelivered, match="could not deliver") as caught:
            send(CHANNEL, message(), outside(environ), NOW)
    assert caught.value.final_after > 1
    assert "s3cret" not in caplog.text + str(caught.value)


def test_an_address_that_it_does_not_know_is_waited_for():
    pytest.importorskip("apprise")
    with pytest.raises(NotDelivered, match="none that Apprise knows") as caught:
        send(CHANNEL, message(), outside({"URL": "s3cret://x"}), NOW)
    assert "s3cret" not in str(caught.value)


def test_where_it_is_not_installed_it_says_how(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotDelivered, match=r"pip install 'retinue\[apprise\]'") as caught:
        send(CHANNEL, message(), outside({"URL": "json://127.0.0.1"}), NOW)
    assert caught.value.final_after > 1
