"""Hints of error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """The names most like `name`, or else all of them."""
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(folded[n] for n in near) + "?"
    listed = list(folded.values())
    return "there is " + (", ".join(listed[:12]) or "none") + (", ..." if len(listed) > 12 else "")
