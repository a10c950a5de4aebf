"""What is known to differ between engines, and why. The howto on engines has the same list.

Each is a test that is expected to fail, or an expression of `test_values_are_read_alike` that has to
differ: if an engine learns it, the test says so.
"""

from __future__ import annotations

import pytest

#: (engine, what): why.
KNOWN = {
    ("postgres", "format with %Z"): "PostgreSQL cannot parse names of zones; the run says so",
    ("postgres", "row numbers in place"): "a table has no order: an update moves a row to the end",
    ("postgres", "number 1_000"): "only DuckDB reads 1_000 in conditions; as amounts all reject it",
    ("spark", "number 1_000"): "only DuckDB reads 1_000 in conditions; as amounts all reject it",
    ("postgres", "lower"): "in a database with the collation C only letters of ASCII have two cases",
    ("postgres", "upper"): "in a database with the collation C only letters of ASCII have two cases",
    ("spark", "upper"): "Java writes two letters S for a sharp s",
    ("postgres", "control mark"): "JSON has control characters in lower-case hexadecimal digits",
    ("spark", "powers"): "powers of Java differ in the last bit; half-lives have some, scores are rounded",
}


def expected(request: pytest.FixtureRequest, engine: str, what: str) -> None:
    """The test that asks is expected to fail on this engine, if that is known of it."""
    reason = KNOWN.get((engine, what))
    if reason is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
