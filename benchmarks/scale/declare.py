"""Projects of Retinue over generated data: that of `project/`, or one with as many metrics as asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent / "project"


def declare(folder: Path, data: Path, memory_limit: str | None = None, metrics: int | None = None) -> Path:
    """A project in `folder`, made anew, over links to the files of `data`."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE, folder)
    (folder / "events").mkdir()
    for file in (data / "accounts.parquet", *sorted((data / "events").glob("*.parquet"))):
        link(file, folder / file.relative_to(data))
    if memory_limit:
        with (folder / "retinue.yaml").open("a", encoding="utf-8") as settings:
            settings.write(f"memory_limit: {memory_limit}\n")
    if metrics:
        declared, card = many(metrics)
        (folder / "metrics.yaml").write_text(yaml.safe_dump({"metrics": declared}, sort_keys=False))
        (folder / "scorecards" / "usage.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    return folder


def link(file: Path, to: Path) -> None:
    """The same file under another name; a copy where the file system has no links."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)


def many(number: int) -> tuple[dict[str, Mapping[str, Any]], dict[str, Any]]:
    """`number` different metrics, a fifth of them distinct counts, and a scorecard of all."""
    kinds: list[dict[str, Any]] = [
        {"count": "events"},
        {"sum": "events.amount"},
        {"distinct": "events.user"},
        {"mean": "events.amount"},
        {"count": "events", "where": {"event": "export"}},
    ]
    declared: dict[str, Mapping[str, Any]] = {}
    measures: dict[str, Any] = {}
    for n in range(number):
        name, days = f"metric_{n}", 7 * (1 + n // len(kinds))
        declared[name] = {**kinds[n % len(kinds)], "window": f"{days}d"}
        measures[name] = {"curve": [[0, 0], [days, 50], [days * 20, 100]]}
    return declared, {"scorecard": "usage", "components": {"usage": {"measures": measures}}}
