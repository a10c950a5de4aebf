"""python -m benchmarks.scale: see docs/explanation/speed.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.scale.compare import PARTS, Plan, run_parts
from benchmarks.scale.curves import draw, measure_curves, table
from benchmarks.scale.generate import Size
from benchmarks.scale.measure import ROOT, Kept
from benchmarks.scale.report import found, machine, markdown, text, write_page


def main(arguments: list[str] | None = None) -> int:
    asked = _asked().parse_args(arguments)
    parts = asked.parts.split(",") if asked.parts else []
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        sys.stderr.write(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}\n")
        return 2
    size = Size(asked.events, asked.accounts, asked.days, asked.seed)
    samples = size.days if asked.all_dates else asked.samples
    memory = asked.memory_limit or f"{machine()['memory_gigabytes'] // 2}GB"
    plan = Plan(asked.folder.resolve(), size, asked.slice, samples, asked.most, memory)
    kept = Kept(plan.results(), asked.resume)

    def tell(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    run_parts(plan, kept, parts, tell)
    results = found(plan, kept)
    print(text(results))
    if asked.curves:
        points = measure_curves(plan.folder, asked.largest, asked.most, asked.resume, tell)
        results["curves"] = [point.to_dict() for point in points]
        print("", table(points), sep="\n")
        if asked.docs:
            drawn = draw(points)
            write_page("curves", table(points, pictures=len(drawn) == 3))
    if asked.docs:
        write_page("table", markdown(results))
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if results["unequal"] else 0


def _asked() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description="What history and a night cost at scale, beside other ways to compute the same numbers.",
    )
    parser.add_argument("--folder", type=Path, default=ROOT / ".bench", help="data, results and environments")
    parser.add_argument("--events", type=int, default=Size.events)
    parser.add_argument("--accounts", type=int, default=Size.accounts)
    parser.add_argument("--days", type=int, default=Size.days)
    parser.add_argument("--seed", type=int, default=Size.seed)
    parser.add_argument("--slice", type=float, default=0.1, help="share of the company for frames (0.1)")
    parser.add_argument("--samples", type=int, default=12, help="dates that SQL recomputes, of all (12)")
    parser.add_argument("--all-dates", action="store_true", help="recompute every date instead")
    parser.add_argument("--memory-limit", help="for DuckDB, also under Retinue (half of the machine)")
    parser.add_argument(
        "--most", type=float, default=600.0, help="seconds after which a part is given up (600)"
    )
    parser.add_argument(
        "--parts", default=",".join(PARTS), help="some of the parts, empty for none: %(default)s"
    )
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    parser.add_argument("--curves", action="store_true", help="also how cost grows, for about an hour")
    parser.add_argument("--largest", type=float, default=1.0, help="scale of the curves' sizes (1)")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument("--docs", action="store_true", help="write the tables into docs/explanation/speed.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
