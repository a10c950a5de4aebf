"""Posting to receivers that behave badly."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import timedelta

import pytest

from retinue.deliver.failures import NotDelivered
from retinue.deliver.post import ANSWER, post, post_json
from retinue.project.serving import Secret
from tests.deliver.receivers import LOOPBACK, NOW, Answer, certified, http_receiver, outside, trusting


def send(url: str, **more) -> None:
    post_json(url, b'{"a": 1}', outside(**more), now=NOW, allowed=LOOPBACK)


def failure(answer: Answer) -> NotDelivered:
    with http_receiver(lambda _request: answer) as receiver, pytest.raises(NotDelivered) as caught:
        send(receiver.url)
    return caught.value


def test_what_is_taken_arrives_as_it_was_sent():
    with http_receiver() as receiver:
        send(receiver.url)
    (request,) = receiver.requests
    assert (request.path, request.body) == ("/in", b'{"a": 1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"hooks.example:{receiver.port}"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_success_is_one(status: int):
    with http_receiver(lambda _request: Answer(status)) as receiver:
        send(receiver.url)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 422, 451])
def test_a_refusal_is_for_good_and_counts(status: int):
    found = failure(Answer(status, body=b"why: s3cret"))
    assert (found.final_after, found.counts, found.rests, found.gone) == (1, True, False, False)
    assert str(found) == f"the receiver answers {status}"


def test_a_receiver_that_is_gone_says_so():
    assert failure(Answer(410)).gone


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_and_its_target_is_not_named(status: int):
    found = failure(Answer(status, {"Location": "https://other.example/s3cret"}))
    assert found.final_after == 1
    assert "s3cret" not in str(found)
    assert "other.example" not in str(found)


@pytest.mark.parametrize(
    ("status", "rests"),
    [
        (408, False),
        (409, False),
        (425, False),
        (429, True),
        (500, False),
        (502, True),
        (503, True),
        (504, True),
    ],
)
def test_what_may_go_well_later_is_tried_again(status: int, rests: bool):
    found = failure(Answer(status))
    assert found.final_after > 1
    assert found.rests is rests
    assert found.asked is None


def test_a_receiver_that_asks_for_time_gets_it():
    assert failure(Answer(429, {"Retry-After": "17"})).asked == timedelta(seconds=17)
    found = failure(Answer(500, {"Retry-After": "Mon, 02 Mar 2026 09:01:00 GMT"}))
    assert (found.asked, found.rests) == (timedelta(minutes=1), True)


def test_a_connection_that_ends_without_an_answer_is_tried_again():
    found = failure(Answer(drop="before"))
    assert (found.final_after > 1, found.rests) == (True, True)


def test_a_port_where_nobody_listens_is_tried_again():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NotDelivered, match="cannot be reached") as caught:
            send(f"http://hooks.example:{taken.getsockname()[1]}/in")
    assert caught.value.rests


def test_an_address_that_does_not_answer_leaves_it_to_the_next_one():
    with http_receiver() as receiver:
        # On Linux all of 127.0.0.0/8 is this machine, and the receiver listens on one address only.
        send(receiver.url, resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])
        assert len(receiver.requests) == 1


def test_a_receiver_that_is_slow_is_not_waited_for():
    with (
        http_receiver(lambda _request: Answer(delay=1.0)) as receiver,
        pytest.raises(NotDelivered, match="in time"),
    ):
        send(receiver.url, timeout=0.2)


def drips(what: bytes, piece: float) -> tuple[int, threading.Thread]:
    """A server that sends `what` byte by byte, for ever if it may."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        taken, _ = listening.accept()
        with taken, listening:
            try:
                taken.recv(65536)
                for n in range(400):
                    taken.sendall(what[n : n + 1] or b"x")
                    time.sleep(piece)
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listening.getsockname()[1], thread


def test_a_receiver_that_drips_its_headers_does_not_hold_us():
    port, thread = drips(b"HTTP/1.1 200 OK\r\nX-Long: ", 0.02)
    with pytest.raises(NotDelivered, match="in time"):
        send(f"http://hooks.example:{port}/", timeout=0.5)
    thread.join(10)
    assert not thread.is_alive()


def test_a_receiver_that_drips_its_body_said_its_status():
    port, thread = drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", 0.005)
    send(f"http://hooks.example:{port}/", timeout=1.0)
    thread.join(10)
    assert not thread.is_alive()


def test_of_an_answer_only_the_beginning_is_read():
    with http_receiver(lambda _request: Answer(body=b"x" * (50 << 20))) as receiver:
        answer = post(receiver.url, b"{}", outside(), allowed=LOOPBACK, headers={})
    assert answer.body == b"x" * ANSWER


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-OpenSSH\r\n", b"\x00" * 300, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/9.9 200 OK"]
)
def test_what_is_no_answer_of_http_is_tried_again(said: bytes):
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        taken, _ = listening.accept()
        with taken, listening:
            taken.recv(65536)
            taken.sendall(said)
            taken.shutdown(socket.SHUT_WR)

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(NotDelivered) as caught:
        send(f"http://hooks.example:{listening.getsockname()[1]}/", timeout=2.0)
    assert caught.value.final_after > 1


# --- TLS -----------------------------------------------------------------------------------------


def test_a_certificate_is_checked_for_the_name_and_not_for_the_address():
    with http_receiver(tls=certified("hooks.example")) as receiver:
        send(receiver.url)
        assert len(receiver.requests) == 1
    with (
        http_receiver(tls=certified("127.0.0.1", "other.example")) as receiver,
        pytest.raises(NotDelivered, match="certificate") as caught,
    ):
        send(receiver.url)
    assert caught.value.final_after == 1
    assert receiver.requests == []


def test_a_certificate_of_nobody_we_trust_is_refused():
    with (
        http_receiver(tls=certified("hooks.example")) as receiver,
        pytest.raises(NotDelivered, match="certificate"),
    ):
        send(receiver.url, tls=ssl.create_default_context)


def test_tls_to_a_port_without_it_is_tried_again():
    with http_receiver() as receiver, pytest.raises(NotDelivered) as caught:
        send(receiver.url.replace("http:", "https:"), timeout=1.0)
    assert caught.value.final_after > 1
    assert trusting().check_hostname


# --- names and secrets ---------------------------------------------------------------------------


def test_a_name_that_does_not_exist_is_given_up_only_after_several_tries():
    def resolve(*_args: object) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(NotDelivered, match="not known") as caught:
        send("https://nowhere.example/", resolve=resolve)
    assert 1 < caught.value.final_after < 20
    assert caught.value.rests


def test_a_name_server_that_does_not_answer_is_asked_again():
    def resolve(*_args: object) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with pytest.raises(NotDelivered, match="name server") as caught:
        send("https://nowhere.example/", resolve=resolve)
    assert caught.value.final_after == 20


@pytest.mark.parametrize("environ", [{}, {"URL": ""}, {"URL": "  \n"}])
def test_a_secret_that_is_not_there_is_waited_for(environ: dict[str, str]):
    with pytest.raises(NotDelivered, match="the environment variable URL") as caught:
        post_json(Secret(env="URL"), b"{}", outside(environ), now=NOW)
    assert caught.value.final_after > 1
    assert caught.value.rests


def test_a_secret_in_a_file_is_read_each_time(tmp_path):
    with http_receiver() as receiver:
        for path in ("/one", "/two"):
            (tmp_path / "url").write_text(f"http://hooks.example:{receiver.port}{path}\n")
            post_json(Secret(file="url"), b"{}", outside(root=tmp_path), now=NOW, allowed=LOOPBACK)
    assert [request.path for request in receiver.requests] == ["/one", "/two"]
