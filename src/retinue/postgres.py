"""Connecting to PostgreSQL through ADBC: rows come and go as Arrow, batch by batch.

Nothing that this module says holds a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlencode

from retinue.errors import RetinueError

T = TypeVar("T")

_SCHEME = re.compile(r"(postgres(?:ql)?)(\+\w+)?://", re.IGNORECASE)
_SECRETS = ("password", "sslpassword", "passfile")
#: Seconds to wait for a server that does not answer.
_PATIENCE = "15"


class Unreachable(RetinueError):
    """A database that cannot be used as asked; callers say it with their own words and place."""


def is_postgres(url: str) -> bool:
    return _SCHEME.match(url) is not None


def shown(url: str) -> str:
    """`url` as people may see it: without password and options."""
    scheme, mark, rest = url.partition("?")[0].partition("://")
    user, at, host = rest.rpartition("@")
    return scheme + mark + user.partition(":")[0] + at + host


def option(url: str, name: str) -> str | None:
    """The value of `name` in the part of `url` behind the question mark."""
    return dict(_options(url)).get(name)


def secrets(url: str) -> list[str]:
    """What must not be shown of `url`, the longest first."""
    head, _, query = url.partition("?")
    user = head.partition("://")[2].rpartition("@")[0]
    told = [user.partition(":")[2]]
    told += [value for name, value in _options(url) if name in _SECRETS]
    told += [part.partition("=")[2] for part in query.split("&") if part.partition("=")[0] in _SECRETS]
    return sorted({url, *told, *map(unquote, told)} - {""}, key=len, reverse=True)


def said(error: BaseException, url: str) -> str:
    """What a driver says, as one line and without what is secret in `url`."""
    text = " ".join(str(error).split())
    for secret in secrets(url):
        text = text.replace(secret, shown(url) if secret == url else "***")
    text = re.sub(r"^[A-Z_]+: (\[libpq\] )?", "", text)
    text = re.split(r"\.? (?:SQLSTATE: |Query was: )", text)[0]
    return text.removeprefix("Failed to connect: ").removeprefix("Failed to prepare query: ")


def sqlstate(error: BaseException) -> str:
    """The five letters by which PostgreSQL names an error; empty where it is not one of its own."""
    told = getattr(error, "sqlstate", None)
    return str(told) if told else ""


def errors() -> tuple[type[Exception], ...]:
    """What the driver raises; nothing where there is none."""
    try:
        from adbc_driver_manager.dbapi import Error
    except ImportError:
        return ()
    return (Error,)


@contextmanager
def connect(url: str) -> Iterator[Any]:
    """A connection (DBAPI, with Arrow) in UTF-8, in a transaction that is rolled back unless committed.

    Raises Unreachable, with a hint, if there is no driver or the server refuses.
    """
    try:
        import adbc_driver_postgresql.dbapi as driver
    except ImportError:
        raise Unreachable(
            "the driver of PostgreSQL is not installed", hint="pip install 'retinue[postgres]'"
        ) from None
    try:
        connection = driver.connect(_of_libpq(url))
    except driver.Error as error:
        raise Unreachable(
            f"cannot connect to {shown(url)}: {said(error, url)}",
            hint="check host, port, user and password; `psql` with the same URL tells more",
        ) from None
    try:
        waiting(connection, lambda: _prepared(connection))
        yield connection
    finally:
        connection.close()


def _prepared(connection: Any) -> None:
    with connection.cursor() as cursor:
        # Otherwise text would come as the server keeps it, which need not be UTF-8.
        for setting in ("client_encoding TO 'UTF8'", "DateStyle TO 'ISO'", "TimeZone TO 'UTC'"):
            cursor.execute(f"SET {setting}")
    connection.commit()


def waiting(connection: Any, work: Callable[[], T]) -> T:
    """`work`, which waits for the server; Ctrl-C ends what the server does for it.

    It is done in a thread: in the main one the driver puts a handler of its own in the place of
    Python's, which takes Ctrl-C for an error of the database. Everything that asks the server
    goes through here.
    """
    with ThreadPoolExecutor(1, "postgres") as apart:
        going_on = apart.submit(work)
        try:
            # Now and then: after some libraries a signal does not end the wait for a lock.
            while not wait((going_on,), timeout=0.1).done:
                pass
            return going_on.result()
        except BaseException:
            if not going_on.done():
                with suppress(*errors()):
                    connection.adbc_cancel()
            raise


def _of_libpq(url: str) -> str:
    """`url` without what libpq does not know, and with our name and patience."""
    found = _SCHEME.match(url)
    head = url.partition("?")[0]
    if found and found[2]:
        head = f"{found[1]}://{head[found.end() :]}"
    options = [(name, value) for name, value in _options(url) if name != "schema"]
    usual = {"connect_timeout": _PATIENCE, "application_name": "retinue"}
    options += [(name, value) for name, value in usual.items() if name not in dict(options)]
    return f"{head}?{urlencode(options, quote_via=quote)}"


def _options(url: str) -> list[tuple[str, str]]:
    return parse_qsl(url.partition("?")[2], keep_blank_values=True)
