"""What a run says of the rows that it could not use."""

from __future__ import annotations

from pathlib import Path

from tests.run.company import score
from tests.run.small import D, account, company, level


def test_a_reason_is_counted_once_whatever_quotes_its_values_have(tmp_path: Path) -> None:
    rows = [level("a", D, 50.0), level('the "best" one', D, 1.0), level('an "old" one', D, 1.0)]
    root = company([account("a")], rows).write(tmp_path)
    assert score(root, D).rejected == {"levels": {"id … is not an account": 2}}
