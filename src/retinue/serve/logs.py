"""The log of the server: a line on stdout for each thing that happened, as JSON or as text.

No line has a query string, a cookie, a key or what somebody wrote; requests are told by the template of
their address, people by their number.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

#: The request that is being answered; set by `serve.front`.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_KEY = re.compile(r"rtn_([0-9a-f]{12})_[A-Za-z0-9_-]+")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_PASSWORD = re.compile(r"(://[^\s:/@]*):[^\s@]*@")


def set_up(form: Literal["json", "text"], sink: TextIO | None = None) -> None:
    """Send the log of everything to `sink` (stdout), in place of where it went before."""
    handler = logging.StreamHandler(sink or sys.stdout)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("retinue").setLevel(logging.INFO)
    # It says that it starts and stops; so do we.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def told(logger: logging.Logger, message: str, **facts: Any) -> None:
    """A line with facts of its own, such as `status=200`."""
    logger.info(message, extra={"facts": facts})


def _parts(record: logging.LogRecord) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    ours = request_id.get()
    if ours is not None:
        parts["request_id"] = ours
    parts |= getattr(record, "facts", {})
    if record.exc_info:
        parts["error"] = logging.Formatter().formatException(record.exc_info)
    return {name: _safe(value) if isinstance(value, str) else value for name, value in parts.items()}


def _safe(text: str) -> str:
    """The text without secrets and people that were put into it by mistake."""
    text = _PASSWORD.sub(r"\1:***@", _KEY.sub(r"rtn_\1_***", text))
    return _ADDRESS.sub(_hashed, text)


def _hashed(found: re.Match[str]) -> str:
    """The same for the same person, so that lines about one can be found by whoever knows the address."""
    return "address:" + hashlib.sha256(found[0].casefold().encode()).hexdigest()[:12]


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_parts(record), ensure_ascii=True, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = _parts(record)
        error = parts.pop("error", None)
        first = " ".join(str(parts.pop(name)) for name in ("time", "level", "message"))
        parts.pop("logger")
        # One line is one thing that happened, whatever stands in it.
        rest = " ".join(f"{name}={value}" for name, value in parts.items())
        line = f"{first} {rest}".rstrip().replace("\r", "\\r").replace("\n", "\\n")
        return f"{line}\n{error}" if error else line
