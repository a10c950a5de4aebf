"""E-mail to a real mail server on this machine, which takes, refuses, puts off and drops."""

from __future__ import annotations

import email
import email.policy
import ssl
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retinue.deliver.channels.email import composed, send
from retinue.deliver.failures import NotDelivered
from retinue.project.destinations import Email
from tests.deliver.receivers import certified, message, outside, smtp_receiver

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = {"user": "retinue", "password": {"env": "PW"}}


def channel(port: int, to: object = "owner", sender: str = "Retinue <retinue@example.com>", **smtp) -> Email:
    told = {"host": "127.0.0.1", "port": port, "tls": "none", **smtp}
    return Email.model_validate({"to": to, "from": sender, "smtp": told})


def mail(content: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def failure(server, to: object = "owner", environ: dict[str, str] | None = None, **more) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        send(channel(server.port, to, **more), message(), outside(environ), NOW)
    assert server.mails == []
    return caught.value


def test_a_mail_says_who_what_why_what_to_do_and_where():
    with smtp_receiver() as server:
        assert send(channel(server.port), message("msg_abc"), outside(), NOW) is None
    (one,) = server.mails
    assert (one.sender, one.to) == ("retinue@example.com", ["ann@example.com"])
    found = mail(one.content)
    assert found["Subject"] == "Acme fell to At risk"
    assert found["From"] == "Retinue <retinue@example.com>"
    assert found["Message-ID"] == "<msg_abc@example.com>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Date"] == "Mon, 02 Mar 2026 09:00:00 +0000"
    assert found.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        text = found.get_body((kind,)).get_content()
        for said in (
            "The score went from 62 to 38.",
            "logins fell by 40 %",
            "Call them this week.",
            "https://retinue.example/accounts/acme",
            "For Ann",
        ):
            assert said in text


def test_what_others_wrote_is_text_in_html_and_no_header():
    evil = '<script>alert("x")</script>\r\nBcc: all@example.com'
    with smtp_receiver() as server:
        made = message(subject=evil, what=evil, why=(evil,), do=(evil,), account=evil, recipient=evil)
        send(channel(server.port), made, outside(), NOW)
    (one,) = server.mails
    found = mail(one.content)
    assert one.to == ["ann@example.com"]
    assert found["Bcc"] is None
    assert found["Subject"] == '<script>alert("x")</script> Bcc: all@example.com'
    assert "<script" not in found.get_body(("html",)).get_content()


def test_a_link_that_is_no_page_is_left_out():
    found = composed(channel(25), message(link="javascript:alert(1)"), ["ann@example.com"])
    assert b"javascript" not in found.as_bytes()


@settings(max_examples=60, deadline=None)
@given(*[st.text(max_size=80)] * 4)
def test_any_text_makes_a_mail_with_the_same_headers(subject: str, what: str, name: str, account: str):
    made = message(subject=subject, what=what, recipient=name, account=account, why=(what,), do=(subject,))
    found = mail(composed(channel(25), made, ["ann@example.com"]).as_bytes())
    assert sorted(found.keys()) == sorted(
        [
            "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
            "MIME-Version", "Content-Type",
        ]
    )  # fmt: skip
    assert found["To"] == "ann@example.com"


def test_a_connection_becomes_private_and_signs_in():
    environ = {"PW": "correct horse"}
    with smtp_receiver(starttls=certified("127.0.0.1"), auth=True) as server:
        send(channel(server.port, tls="starttls", **PASSWORD), message(), outside(environ), NOW)
        assert [(one.secure, one.signed_in) for one in server.mails] == [(True, True)]
    with smtp_receiver(tls=certified("127.0.0.1"), auth=True) as server:
        send(channel(server.port, tls="tls", **PASSWORD), message(), outside(environ), NOW)
        assert [one.signed_in for one in server.mails] == [True]


def test_a_server_without_starttls_gets_neither_mail_nor_password():
    with smtp_receiver(auth=True) as server:
        found = failure(server, environ={"PW": "correct horse"}, tls="starttls", **PASSWORD)
        assert found.final_after == 1
        assert server.tried == []


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_a_certificate_of_another_name_or_of_nobody_gets_no_password(how: str):
    environ = {"PW": "correct horse"}
    with smtp_receiver(**{how: certified("mail.example.com")}, auth=True) as server:
        found = failure(server, environ=environ, tls=how, **PASSWORD)
        assert (found.message, found.final_after) == ("the certificate of the mail server is not valid", 1)
        assert server.tried == []
    with smtp_receiver(**{how: certified("127.0.0.1")}, auth=True) as server:
        untrusting = outside(environ, tls=ssl.create_default_context)
        with pytest.raises(NotDelivered, match="certificate"):
            send(channel(server.port, tls=how, **PASSWORD), message(), untrusting, NOW)
        assert server.tried == []


def test_a_wrong_password_is_a_refusal_that_does_not_repeat_it():
    with smtp_receiver(starttls=certified("127.0.0.1"), auth=True) as server:
        found = failure(server, environ={"PW": "wr0ng"}, tls="starttls", **PASSWORD)
        assert set(server.tried) == {("retinue", "wr0ng")}
    assert (found.final_after, found.counts) == (1, True)
    assert "wr0ng" not in str(found)


def test_greylisting_is_tried_again_and_then_taken():
    with smtp_receiver({"RCPT": ["451 4.7.1 come back later"]}) as server:
        found = failure(server)
        assert (found.final_after > 1, found.rests, found.counts) == (True, False, False)
        send(channel(server.port), message(), outside(), NOW)
        assert len(server.mails) == 1


def test_an_address_that_is_unknown_there_is_given_up_and_blames_nobody():
    with smtp_receiver({"RCPT": ["550 5.1.1 no such user"]}) as server:
        found = failure(server)
    assert (found.final_after, found.counts) == (1, False)
    assert str(found) == "the mail server refused the recipient (550)"


@pytest.mark.parametrize(("reply", "final"), [("452 full", False), ("554 spam", True), ("drop", False)])
def test_what_a_server_says_to_the_content_is_told_apart(reply: str, final: bool):
    with smtp_receiver({"DATA": [reply]}) as server:
        found = failure(server)
    assert (found.final_after == 1) is final


def test_of_several_recipients_those_who_take_it_get_it_once_and_the_others_are_noted():
    to = ["ann@example.com", "bob@example.com", "eve@example.com"]
    with smtp_receiver({"bob@example.com": ["550 gone"]}) as server:
        note = send(channel(server.port, to), message(), outside(), NOW)
    assert note == "the mail server refused bob@example.com"
    assert [one.to for one in server.mails] == [["ann@example.com", "eve@example.com"]]


def test_where_one_of_several_may_take_it_later_all_are_tried_again():
    to = ["ann@example.com", "bob@example.com"]
    replies = {"ann@example.com": ["550 gone"], "bob@example.com": ["450 later"]}
    with smtp_receiver(replies) as server:
        assert failure(server, to).final_after > 1


@pytest.mark.parametrize(
    "address", [None, "", "ann", "ann@example.com\r\nRCPT TO:<eve@example.com>", "a b@c.de"]
)
def test_a_message_for_an_owner_without_an_address_is_given_up_and_blames_nobody(address: str | None):
    with smtp_receiver() as server, pytest.raises(NotDelivered) as caught:
        send(channel(server.port), message(address=address), outside(), NOW)
    assert (caught.value.final_after, caught.value.counts) == (1, False)
    assert server.mails == []


def test_a_server_that_is_not_there_is_tried_again():
    with smtp_receiver() as server:
        pass
    found = failure(server)
    assert (found.final_after > 1, found.rests) == (True, True)
