"""Webhooks as the receiver's own library of Standard Webhooks takes them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from retinue.deliver.channels.webhook import send, signatures
from retinue.deliver.failures import NotDelivered
from retinue.project.destinations import Webhook
from tests.deliver.receivers import LOOPBACK, http_receiver, message, outside

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"f" * 24).decode()


def delivered(secret: object = None, *, off: float = 0, environ: dict[str, str] | None = None, **more):
    """What arrives of a message that is sent `off` minutes from now.

    The verifier looks at the clock on the wall, so these tests have to.
    """
    now = datetime.now(UTC) + timedelta(minutes=off)  # noqa: TID251
    with http_receiver() as receiver:
        declared = {"url": receiver.url, "secret": secret or {"env": "S"}, "allow_private": LOOPBACK}
        send(
            Webhook.model_validate(declared), message("msg_7", **more), outside(environ or {"S": SECRET}), now
        )
    (request,) = receiver.requests
    return request


def test_the_receiver_can_tell_that_it_is_ours_and_takes_it_once_by_its_id():
    request = delivered()
    told = Verifier(SECRET).verify(request.body, request.headers)
    assert request.headers["webhook-id"] == "msg_7"
    age = datetime.now(UTC).timestamp() - int(request.headers["webhook-timestamp"])  # noqa: TID251
    assert 0 <= age < 300
    assert (told["type"], told["timestamp"]) == ("band", "2026-03-02T09:00:00+00:00")
    assert told["data"]["what"] == "The score went from 62 to 38."
    assert told["data"]["account_id"] == "acme"


def test_a_message_has_the_same_body_each_time_and_a_new_time():
    first, second = delivered(), delivered(off=4)
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_what_programs_need_is_in_it_as_it_is():
    request = delivered(data={"score": 38.5, "band": "at_risk", "text": "ü\u2028</script>"})
    assert json.loads(request.body)["data"]["data"] == {
        "score": 38.5,
        "band": "at_risk",
        "text": "ü\u2028</script>",
    }


def test_while_a_secret_is_replaced_both_open_it():
    request = delivered([{"env": "NEW"}, {"env": "OLD"}], environ={"NEW": SECRET, "OLD": OTHER})
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, OTHER):
        Verifier(secret).verify(request.body, request.headers)


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body.replace(b"62", b"26"), headers),
        lambda body, headers: (body, {**headers, "webhook-id": "msg_8"}),
        lambda body, headers: (
            body,
            {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
        ),
        lambda body, headers: (body, {**headers, "webhook-signature": "v1,AAAA"}),
        lambda body, headers: (body, {k: v for k, v in headers.items() if k != "webhook-signature"}),
        lambda body, headers: (body, {k: v for k, v in headers.items() if k != "webhook-id"}),
        lambda body, headers: (body, {k: v for k, v in headers.items() if k != "webhook-timestamp"}),
    ],
    ids=["longer", "other", "id", "time", "signature", "no signature", "no id", "no time"],
)
def test_what_was_changed_on_the_way_is_not_taken(change):
    request = delivered()
    body, headers = change(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body, headers)


def test_another_secret_and_another_time_do_not_open_it():
    request = delivered()
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(request.body, request.headers)
    for off in (-6, 10):
        request = delivered(off=off)
        with pytest.raises(WebhookVerificationError, match="too"):
            Verifier(SECRET).verify(request.body, request.headers)


def test_the_published_example_has_the_published_signature():
    """Of the documentation of Standard Webhooks' reference implementation, and in any zone."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    for zone in (UTC, timezone(timedelta(hours=9))):
        at = datetime.fromtimestamp(1614265330, zone)
        found = signatures([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
        assert found == expected


@pytest.mark.parametrize(
    "secret", ["whsec_", "short", "whsec_" + "A" * 200, "whsec_not base64!" * 3, "whsec_QUJD"]
)
def test_what_is_no_secret_is_waited_for_and_not_repeated(secret: str):
    with pytest.raises(NotDelivered, match="the secret in S is not whsec_") as caught:
        delivered(environ={"S": secret})
    assert caught.value.final_after > 1
    assert secret not in str(caught.value).replace("whsec_ and", "")
