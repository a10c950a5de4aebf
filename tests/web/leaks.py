"""What an answer tells of accounts that its reader may not see."""

from __future__ import annotations

import re
from typing import Any

from tests.web.company import ACCOUNTS, mark, numbers_seen

_TOKEN = re.compile(r'name="csrf" value="[^"]*"')
_MARK = re.compile(r"zq(\d\d)")


def unseen(name: str | None) -> set[str]:
    """The marks of the accounts that the person may not see."""
    seen = set() if name in (None, "gone") else set(numbers_seen(name))
    return {mark(number) for number in range(ACCOUNTS) if number not in seen}


def told(answer: Any) -> set[str]:
    """The marks in the body and the headers of an answer."""
    headers = " ".join(f"{k}: {v}" for k, v in answer.headers.items() if k != "set-cookie")
    # Tokens are chance; now and then one spells a mark.
    return {f"zq{found}" for found in _MARK.findall(_TOKEN.sub("", answer.text) + headers)}


def leaked(name: str | None, answer: Any, asked: str = "") -> set[str]:
    """The marks of accounts out of the person's sight; what they asked for themselves is no news."""
    return (told(answer) & unseen(name)) - {f"zq{found}" for found in _MARK.findall(asked)}
