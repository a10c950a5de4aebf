"""Posting JSON over HTTP: to checked addresses only, once, within a time, reading little of the answer.

The name is resolved once, all that it leads to is checked, and the connection goes to what was checked
while the name stays in TLS and `Host`: a name that is resolved to something else the next moment (DNS
rebinding) gains nothing. Redirects, proxies, cookies and passwords of the environment have no part in it.
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpcore
import httpx

from retinue.deliver.addresses import refusal
from retinue.deliver.failures import NotDelivered, asked_to_wait, not_ready, refused
from retinue.deliver.outside import Outside
from retinue.project.serving import Secret

# Its traces hold the headers of answers, and receivers repeat there what they were sent.
logging.getLogger("httpcore").setLevel(logging.INFO)

#: Bytes of an answer that are read.
ANSWER = 64 * 1024
#: How many of the addresses of a name are tried.
_ADDRESSES = 3
_HOST = re.compile(rb"[A-Za-z0-9._:-]+")
_RETRIED = (408, 409, 425, 429)
#: Answers after which other messages would fare no better.
_RESTS = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said: the status, and the beginning of the body."""

    status: int
    retry_after: str | None
    body: bytes


def post_json(
    url: Secret | str,
    body: bytes,
    outside: Outside,
    *,
    now: datetime,
    allowed: Iterable[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Post to a URL, named or as it is. Returns a success, raises NotDelivered for all else."""
    address = url if isinstance(url, str) else outside.secret(url)
    answer = post(address, body, outside, allowed=allowed, headers=headers or {})
    judge(answer, now)
    return answer


def judge(answer: Answer, now: datetime) -> None:
    """Raises NotDelivered unless the receiver took it."""
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise refused(f"the receiver answers {status}: it is elsewhere, and redirects are not followed")
    if status in _RETRIED or status >= 500:
        asked = asked_to_wait(answer.retry_after, now)
        raise NotDelivered(
            f"the receiver answers {status}", rests=status in _RESTS or asked is not None, asked=asked
        )
    raise refused(f"the receiver answers {status}", gone=status == 410)


def post(
    url: str, body: bytes, outside: Outside, *, allowed: Iterable[str] = (), headers: Mapping[str, str]
) -> Answer:
    """Post `body` to a URL and return the answer, whatever it is.

    Raises NotDelivered where there is none, in words that hold nothing of the URL but its port.
    """
    try:
        parsed = httpx.URL(url)
        usable = (
            parsed.scheme in ("http", "https")
            and _HOST.fullmatch(parsed.raw_host) is not None
            and 0 < (parsed.port or 1) < 65536
            and not parsed.userinfo
        )
    except (httpx.InvalidURL, ValueError, TypeError):
        usable = False
    if not usable:
        raise not_ready("its address is no web address, or has a user or password in it")
    network = _Checked(outside, parsed.scheme, tuple(allowed), time.monotonic() + outside.timeout)
    told = {
        "Host": parsed.netloc.decode("ascii"),
        "User-Agent": "Retinue",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    target = httpcore.URL(
        scheme=parsed.raw_scheme,
        host=parsed.raw_host,
        port=parsed.port or {"http": 80, "https": 443}[parsed.scheme],
        target=parsed.raw_path,
    )
    limits = dict.fromkeys(("connect", "read", "write", "pool"), outside.timeout)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=outside.tls(), network_backend=network) as pool,
            pool.stream(
                "POST", target, headers=list(told.items()), content=body, extensions={"timeout": limits}
            ) as response,
        ):
            return Answer(response.status, _header(response, b"retry-after"), _beginning(response))
    except (httpcore.TimeoutException, TimeoutError):
        raise NotDelivered("the receiver did not answer in time", rests=True) from None
    except httpcore.ConnectError as error:
        raise _no_connection(error) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
        raise NotDelivered("the receiver ended the connection without an answer", rests=True) from None


class _Checked(httpcore.NetworkBackend):
    """Connects to addresses that were checked, until a moment of `time.monotonic`."""

    def __init__(self, outside: Outside, scheme: str, allowed: tuple[str, ...], until: float):
        self._outside, self._scheme, self._allowed, self._until = outside, scheme, allowed, until
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore hands it over
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        found = self._outside.addresses(host.strip("[]"), port)
        reason = refusal(self._scheme, port, found, self._allowed)
        if reason is not None:
            raise refused(f"nothing is sent there: {reason}")
        found = found[:_ADDRESSES]
        for place, address in enumerate(found):
            last = place == len(found) - 1
            left = _left(self._until, timeout)
            try:
                # An address that does not answer leaves time for the next one.
                stream = self._plain.connect_tcp(address, port, left if last else left / 2)
                return _Until(stream, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
        raise AssertionError("a name without addresses is refused")


class _Until(httpcore.NetworkStream):
    """A connection whose every step ends at one moment: a receiver that drips does not hold us."""

    def __init__(self, stream: httpcore.NetworkStream, until: float):
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._until, timeout)
        return _Until(self._stream.start_tls(ssl_context, server_hostname, left), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float, timeout: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left if timeout is None else min(left, timeout)


def _header(response: httpcore.Response, name: bytes) -> str | None:
    found = [value for key, value in response.headers if key.lower() == name]
    return found[0].decode("latin-1") if found else None


def _beginning(response: httpcore.Response) -> bytes:
    """The first `ANSWER` bytes of the body; a status that came counts even where its body does not."""
    read = bytearray()
    try:
        for chunk in response.iter_stream():
            read += chunk[: ANSWER - len(read)]
            if len(read) >= ANSWER:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError):
        pass
    return bytes(read)


def _no_connection(error: BaseException) -> NotDelivered:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return refused("the certificate of the receiver is not valid")
        if isinstance(cause, ssl.SSLError):
            return NotDelivered("no private connection (TLS) with the receiver", rests=True)
        cause = cause.__cause__ or cause.__context__
    return NotDelivered("the receiver cannot be reached", rests=True)
