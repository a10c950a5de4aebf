"""What is known to differ between engines, and why. The howto on engines has the same list.

Each is a test that is expected to fail: if an engine learns it, the test says so.
"""

from __future__ import annotations

import pytest

#: (engine, what): why.
KNOWN = {
    ("postgres", "format with %Z"): "PostgreSQL cannot parse names of zones; the run says so",
    ("postgres", "row numbers in place"): "a table has no order: an update moves a row to the end",
}


def expected(request: pytest.FixtureRequest, engine: str, what: str) -> None:
    """The test that asks is expected to fail on this engine, if that is known of it."""
    reason = KNOWN.get((engine, what))
    if reason is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
