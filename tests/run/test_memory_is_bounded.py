"""A back-fill under a memory limit gives the tables that it gives without one."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.scale.declare import declare
from benchmarks.scale.generate import Size, generate
from benchmarks.scale.measure import Measured, measure
from tests.run.company import differences, exported

SIZE = Size(events=600_000, accounts=1_600, days=200)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("log"), SIZE)


def _back_fill(project: Path, **limits: int) -> Measured:
    """All Sundays, scored and published in a process of its own."""
    days = [SIZE.start + timedelta(days=n) for n in range(SIZE.days)]
    spec = {
        "project": str(project),
        "dates": [str(day) for day in days if day.isoweekday() == 7],
        "now": f"{SIZE.last + timedelta(days=1)}T05:00:00+00:00",
        **limits,
    }
    result = measure("published", spec, 500)
    assert result.done, result.why
    return result


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process allocates")
def test_a_limit_spills_to_disk_and_changes_no_table(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Arrow's own allocator reserves a gigabyte at once, which the system counts as allocated.
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    free = declare(tmp_path / "free", log)
    limited = declare(tmp_path / "limited", log, memory_limit="110MB")
    without = _back_fill(free)
    within = _back_fill(limited, data_megabytes=1400)
    assert not differences(exported(free), exported(limited))
    # The limit was felt: something had to go to disk, and less was resident.
    assert without.of("spilled_megabytes") < 1 < within.of("spilled_megabytes")
    assert within.peak_megabytes < min(without.peak_megabytes, 900)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a process allocates")
def test_too_little_memory_is_said_in_one_line_and_publishes_nothing(
    log: Path, tmp_path: Path, capfd: pytest.CaptureFixture
):
    project = declare(tmp_path / "tiny", log, memory_limit="12MB")
    with pytest.raises(AssertionError, match="failed with status 1"):
        _back_fill(project)
    assert "raise `memory_limit` in retinue.yaml" in capfd.readouterr().err.strip().splitlines()[-1]
    assert not list((project / ".retinue").rglob("manifest.json"))
