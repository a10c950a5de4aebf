"""A small company for the tests: tables in a folder, a project over them, and what became of it."""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from retinue.project.project import Project, Settings
from retinue.warehouse import engine
from retinue.warehouse.facts import sources as facts
from retinue.warehouse.facts.sources import Wanted

Rows = list[dict[str, Any]]


@dataclass
class Loaded:
    """Facts as Python values, without an order."""

    accounts: Rows
    sources: dict[str, Rows]
    histories: dict[str, Rows]
    rejected: Rows
    counts: dict[str, facts.Counts]
    problems: list[str]

    @property
    def reasons(self) -> list[str]:
        return [row["reason"] for row in self.rejected]


@dataclass
class Company:
    """`accounts` is a CSV of account_id by default: a, b and c."""

    root: Path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load(self, facts_of: dict[str, Any] | None = None, **settings: Any) -> Loaded:
        """`wanted` and `observed` go to `facts.load`, everything else is a setting of the project."""
        wanted = settings.pop("wanted", None)
        observed = settings.pop("observed", None)
        declared = {
            name: {"account": "account_id", "occurred_at": "on", **told}
            for name, told in (facts_of or {}).items()
        }
        if "accounts" not in settings:
            self.write("accounts.csv", "account_id\na\nb\nc\n")
            settings["accounts"] = {"table": "accounts.csv"}
        told = Settings.model_validate({"project": "test", "facts": declared, **settings})
        project = Project(root=self.root, settings=told, metrics={}, scorecards=())
        if wanted is None:
            wanted = {name: Wanted() for name in declared}
        with engine.connect(project, threads=2) as used:
            got = facts.load(used, project, wanted, observed)
            return Loaded(
                accounts=used.arrow(got.accounts.order_by("ix")).to_pylist(),
                sources={name: rows(used.arrow(table)) for name, table in got.sources.items()},
                histories={name: rows(used.arrow(table)) for name, table in got.histories.items()},
                rejected=used.arrow(got.rejected.order_by("source", "row", "reason")).to_pylist(),
                counts=got.counts,
                problems=[str(problem) for problem in got.problems],
            )

    def events(self, text: str, wanted: Wanted | None = None, **declared: Any) -> Loaded:
        """The facts of a source `events` that is a CSV file."""
        settings = {key: declared.pop(key) for key in list(declared) if key in Settings.model_fields}
        self.write("events.csv", text)
        source = {"table": "events.csv", **declared}
        return self.load({"events": source}, wanted={"events": wanted or Wanted()}, **settings)


def rows(table: pa.Table) -> Rows:
    """Rows in an order that depends on nothing but their values."""
    return sorted(table.to_pylist(), key=lambda row: [(v is None, str(v)) for _, v in sorted(row.items())])


def write_all(folder: Path, table: pa.Table) -> dict[str, dict[str, Any]]:
    """The same rows in every format; returns how each is declared as a table."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "t.parquet")
    pyarrow.csv.write_csv(table, folder / "t.csv")
    text = (folder / "t.csv").read_bytes()
    with gzip.open(folder / "packed.csv.gz", "wb") as out:
        out.write(text)
    (folder / "packed.csv.zst").write_bytes(pa.compress(text, codec="zstd", asbytes=True))
    options = pyarrow.csv.WriteOptions(delimiter="\t")
    pyarrow.csv.write_csv(table, folder / "t.tsv", options)
    pyarrow.csv.write_csv(table, folder / "semicolons.csv", pyarrow.csv.WriteOptions(delimiter=";"))
    (folder / "t.jsonl").write_text(
        duckdb.from_arrow(table)
        .query("t", "SELECT to_json(t) AS line FROM t")
        .fetchdf()["line"]
        .str.cat(sep="\n")
    )
    write_sheet(
        folder / "t.xlsx", {"first": [table.column_names, *zip(*table.to_pydict().values(), strict=True)]}
    )
    with closing(sqlite3.connect(folder / "t.sqlite")) as con:
        names = ", ".join(quoted(name) for name in table.column_names)
        con.execute(f'CREATE TABLE "my table" ({names})')
        values = [[_plain(v) for v in row.values()] for row in table.to_pylist()]
        con.executemany(f'INSERT INTO "my table" VALUES ({", ".join("?" * len(table.column_names))})', values)
        con.commit()
    with duckdb.connect(str(folder / "t.duckdb")) as con:
        con.register("given", table)
        con.execute('CREATE TABLE "my table" AS SELECT * FROM given')
    half = table.num_rows // 2
    for n, part in enumerate((table.slice(0, half), table.slice(half))):
        pq.write_table(part, folder / f"part-{n}.parquet")
        pyarrow.csv.write_csv(part, folder / f"part-{n}.csv")
    return {
        "parquet": {"table": "t.parquet"},
        "csv": {"table": "t.csv"},
        "gzip": {"table": "packed.csv.gz"},
        "zstd": {"table": "packed.csv.zst"},
        "tsv": {"table": "t.tsv"},
        "semicolons": {"table": "semicolons.csv"},
        "json lines": {"table": "t.jsonl"},
        "excel": {"table": "t.xlsx"},
        "sqlite": {"table": "my table", "database": "t.sqlite"},
        "duckdb": {"table": "my table", "database": "t.duckdb"},
        "parquet glob": {"table": "part-*.parquet"},
        "csv glob": {"table": "part-*.csv"},
    }


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str)) or value is None else str(value)


def write_sheet(path: Path, sheets: dict[str, list[Any]]) -> None:
    """A workbook with the least that a reader asks for; dates get a style, as people see them."""
    with zipfile.ZipFile(path, "w") as out:
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        listed = "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
        )
        out.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>',
        )
        links = "".join(
            f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n, _ in enumerate(sheets, 1)
        )
        links += f'<Relationship Id="rId0" Type="{office}/styles" Target="styles.xml"/>'
        out.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>'
        )
        out.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        styles = '<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/></cellXfs>'
        out.writestr("xl/styles.xml", f'<styleSheet xmlns="{main}">{styles}</styleSheet>')
        for n, grid in enumerate(sheets.values(), 1):
            body = "".join(
                f'<row r="{r}">' + "".join(_cell(r, c, value) for c, value in enumerate(row)) + "</row>"
                for r, row in enumerate(grid, 1)
            )
            out.writestr(
                f"xl/worksheets/sheet{n}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
            )


def _cell(row: int, column: int, value: Any) -> str:
    at = f'r="{chr(65 + column)}{row}"'
    epoch = datetime(1899, 12, 30)
    match value:
        case None:
            return ""
        case bool():
            return f'<c {at} t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f"<c {at}><v>{value}</v></c>"
        case datetime():
            return f'<c {at} s="2"><v>{(value - epoch) / timedelta(days=1)!r}</v></c>'
        case date():
            return f'<c {at} s="1"><v>{(value - epoch.date()).days}</v></c>'
        case _:
            return f'<c {at} t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'
