"""Whatever the files hold, loading them gives a project or problems of one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from retinue.project.declaration import Declaration
from retinue.project.load import load_with_problems
from retinue.project.metrics import KINDS
from retinue.project.project import Settings
from retinue.project.scorecards import Component, Measure, Scorecard
from retinue.project.sources import Accounts, People, Source
from tests.project.conftest import METRICS, SCORECARD, SETTINGS

MODELS: tuple[type[Declaration], ...] = (
    Settings,
    Accounts,
    People,
    Source,
    Scorecard,
    Component,
    Measure,
    *KINDS,
)
KEYS = sorted(
    {name for model in MODELS for name in model.model_fields}
    | {"usage", "from", "points", "steps", "target", "tenure", "at_risk", "<<", "a.b", "when", "at_most"}
)
WORDS = st.sampled_from(
    [*KEYS, "cohort", "28d", "8w", "0d", "usage.user", "account.x", "a > 1", "{x.y}", "${", ""]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | WORDS
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
)
DATA = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS, inner, max_size=5)
        | st.dictionaries(SCALARS, inner, max_size=2)
    ),
    max_leaves=25,
)


def checked(folder: Path, files: dict[str, bytes]) -> None:
    right = {"retinue.yaml": SETTINGS, "metrics.yaml": METRICS, "scorecards.yaml": SCORECARD}
    for name, text in right.items():
        (folder / name).write_bytes(files.get(name, text.encode()))
    project, problems = load_with_problems(folder, {})
    assert (project is None) == any(problem.severity == "error" for problem in problems)
    for problem in problems:
        assert problem.message
        assert "\n" not in str(problem)
        assert len(str(problem)) < 1000
        assert problem.place is None or problem.place.file
    if project is not None:
        assert all(formula.fingerprint for formula in project.formulas)


FILE = st.sampled_from(["retinue.yaml", "metrics.yaml", "scorecards.yaml"])


@given(FILE, st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, file: str, content: bytes) -> None:
    checked(tmp_path_factory.mktemp("any"), {file: content})


@given(FILE, st.text("ab:-{}[],&*!|>'\"#%@`\n\t 01?<~", max_size=60).map(str.encode))
def test_anything_that_looks_like_yaml(
    tmp_path_factory: pytest.TempPathFactory, file: str, content: bytes
) -> None:
    checked(tmp_path_factory.mktemp("any"), {file: content})


def _yaml(data: Any) -> bytes:
    return yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass")


@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), DATA, max_size=5))
def test_any_settings(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    checked(tmp_path_factory.mktemp("any"), {"retinue.yaml": _yaml(data)})
    right = yaml.safe_load(SETTINGS)
    checked(tmp_path_factory.mktemp("any"), {"retinue.yaml": _yaml({**right, **data})})


@given(st.dictionaries(WORDS, st.dictionaries(WORDS, DATA, max_size=3) | DATA, max_size=4))
def test_any_metrics(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    checked(tmp_path_factory.mktemp("any"), {"metrics.yaml": _yaml({"metrics": data})})


@given(
    st.dictionaries(st.sampled_from(sorted(Scorecard.model_fields)), DATA, max_size=5),
    st.dictionaries(st.sampled_from(sorted(Measure.model_fields)), DATA, max_size=4),
)
def test_any_scorecard(tmp_path_factory: pytest.TempPathFactory, data: Any, measure: Any) -> None:
    checked(tmp_path_factory.mktemp("any"), {"scorecards.yaml": _yaml(data)})
    right = yaml.safe_load(SCORECARD)
    right["components"]["use"]["measures"]["events"].update(measure)
    checked(tmp_path_factory.mktemp("any"), {"scorecards.yaml": _yaml({**right, **data, "scorecard": "x"})})
