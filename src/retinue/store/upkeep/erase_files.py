"""Taking a person out of the files of a project's home: published ones, what is derived, what is kept."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retinue.store.published.parquet import replace_file, write_parquet
from retinue.store.upkeep.backup import ERASED

if TYPE_CHECKING:
    import pyarrow as pa

#: What stands where a person was.
REPLACED = "erased person"
#: Columns that say whose something is, in the store and in published files.
WHOSE = frozenset({"by", "owner", "closed_by", "who", "source_owner", "csm"})
_LETTERS = "A-Za-z0-9"
ADDRESS = re.compile(rf"[{_LETTERS}.!#$%&'*+/=?^_`{{|}}~-]+@[{_LETTERS}-]+(?:\.[{_LETTERS}-]+)+")


@dataclass(frozen=True)
class Sought:
    """Who is to be erased: `address` is looked for in every text, `names` where they are all that stands."""

    address: str
    names: frozenset[str] = frozenset()
    number: int | None = None

    @property
    def tombstone(self) -> str:
        return tombstone(self.address)

    def pattern(self) -> re.Pattern[str]:
        """The address, not as a part of a longer one."""
        before = rf"(?<![{_LETTERS}._%+-])"
        after = rf"(?![{_LETTERS}-]|\.[{_LETTERS}])"
        return re.compile(before + re.escape(self.address) + after, re.IGNORECASE)

    def regex(self) -> str:
        """The same for Arrow, whose expressions look neither back nor ahead."""
        before = rf"(^|[^{_LETTERS}._%+-])"
        after = rf"($|[^{_LETTERS}.-]|\.($|[^{_LETTERS}]))"
        return before + _escaped(self.address) + after

    def written(self) -> list[str]:
        """The names as the values of JSON that they are, in both ways of writing it."""
        ways = (
            json.dumps(name, ensure_ascii=ascii_) for name in sorted(self.names) for ascii_ in (False, True)
        )
        return list(dict.fromkeys(ways))

    def without(self, column: str, value: str) -> str:
        """The text of a column with nobody in it."""
        if column in WHOSE and value in self.names:
            return REPLACED
        if value[:1] in ("{", "["):
            for name in self.written():
                value = value.replace(name, json.dumps(REPLACED))
        return self.pattern().sub(REPLACED, value)


@dataclass
class Cleared:
    """What was found in the home so far."""

    counts: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def count(self, place: str, many: int = 1) -> None:
        self.counts[place] = self.counts.get(place, 0) + many


def tombstone(address: str) -> str:
    """What is kept of somebody who was erased."""
    return hashlib.sha256(address.strip().casefold().encode()).hexdigest()


def erase_files(home: Path, person: Sought, *, rehearsal: bool = False) -> Cleared:
    """Take the person out of every file of the home but the store's own."""
    found = Cleared()
    rewritten: dict[Path, dict[str, dict[str, Any]]] = {}
    for path in sorted((home / "runs").rglob("*.parquet")):
        file = _rewrite(path, person, found, rehearsal)
        if file is not None:
            folder = home / "runs" / path.relative_to(home / "runs").parts[0]
            rewritten.setdefault(folder, {})[path.relative_to(home).as_posix()] = file
    for manifest in sorted((home / "runs").glob("*/manifest.json")):
        _amend(manifest, rewritten.get(manifest.parent, {}), person, found, rehearsal)
    for path in _others(home):
        if holds(path, person):
            found.count(f"{path.relative_to(home).parts[0]} (made again when needed)")
            if not rehearsal:
                path.unlink(missing_ok=True)
    if (found.counts and not rehearsal) or _derived(home, person):
        # Copies of what was rewritten: nothing is lost with them.
        with suppress(OSError):
            if (home / "reading").exists() and not rehearsal:
                shutil.rmtree(home / "reading")
                found.count("reading (made again when needed)")
    return found


def _derived(home: Path, person: Sought) -> bool:
    folder = home / "reading"
    return folder.is_dir() and any(holds(path, person) for path in folder.rglob("*") if path.is_file())


def _others(home: Path) -> list[Path]:
    """What runs and pages keep for the next time, and files that were left half written."""
    kept = [path for path in home.glob("*") if path.name not in ("runs", "reading", ERASED, "run.lock")]
    files = [path for top in kept for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    half = list((home / "runs").rglob(".*.tmp"))
    return [path for path in (*files, *half) if path.is_file() and not _of_the_store(path)]


def _of_the_store(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0" or path.name.endswith(("-wal", "-shm"))


def holds(path: Path, person: Sought) -> bool:
    """Whether a file has the person in it: in a column of text, or in its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with suppress(OSError, pa.ArrowException):
        if path.suffix in (".parquet", ".pq"):
            table = pq.read_table(path)
            return any(_found(column, name, person) is not None for name, column in _texts(table))
    told = path.read_bytes().decode("utf-8", "replace")
    return person.pattern().search(told) is not None


def _texts(table: pa.Table) -> Iterator[tuple[str, Any]]:
    """Every column of text, also those inside lists and structs."""
    import pyarrow as pa

    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column, kind = column.cast(kind.value_type), kind.value_type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            with suppress(pa.ArrowInvalid):
                column, kind = column.cast(pa.string()), pa.string()
        if pa.types.is_nested(kind):
            column, kind = pa.chunked_array([pa.array([str(one) for one in column.to_pylist()])]), pa.string()
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            yield name, column


def _found(column: Any, name: str, person: Sought) -> Any:
    """Which rows of a column have the person in them; None for none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    hits = pc.match_substring_regex(column, person.regex(), ignore_case=True)
    if name in WHOSE and person.names:
        hits = pc.or_(hits, pc.is_in(column, value_set=pa.array(sorted(person.names), column.type)))
    hits = pc.fill_null(hits, False)
    return hits if pc.any(hits).as_py() else None


def _rewrite(path: Path, person: Sought, found: Cleared, rehearsal: bool) -> dict[str, Any] | None:
    """Write a published file again without the person; what its manifest is to say, None if unchanged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    place, rows = f"runs: {path.stem}", 0
    for name, column in list(_texts(table)):
        hits = _found(table[name] if path.stem == "timeline" else column, name, person)
        if hits is None:
            continue
        rows += pc.sum(hits).as_py()
        if path.stem == "timeline":
            # Who knows what else the line says of them.
            table = table.filter(pc.invert(hits))
        else:
            values = [
                None if one is None else _cell(path.stem, name, one, hit, person)
                for one, hit in zip(column.to_pylist(), hits.to_pylist(), strict=True)
            ]
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), pa.array(values, column.type))
    if not rows:
        return None
    found.count(place, rows)
    if rehearsal:
        return None
    written = write_parquet(path, table.schema, table.to_batches())
    return {"rows": written.rows, "bytes": written.bytes, "sha256": written.sha256}


def _cell(table: str, name: str, value: str, hit: bool, person: Sought) -> str | None:
    if not hit:
        return value
    if (table, name) == ("rejected", "raw"):
        return None
    return person.without(name, value)


def _amend(
    path: Path, files: dict[str, dict[str, Any]], person: Sought, found: Cleared, rehearsal: bool
) -> None:
    """A manifest that says of its files what they are now, and has the person in no text of the project."""
    content = path.read_text("utf-8")
    clean = person.pattern().sub(REPLACED, content)
    if clean == content and not files:
        return
    if clean != content:
        found.count("runs: manifest")
    told = json.loads(clean)
    for name, file in files.items():
        if name in told["files"]:
            told["files"][name] = file
    if not rehearsal:
        written = json.dumps(told, indent=1, ensure_ascii=False).encode()
        replace_file(path, lambda sink: sink.write(written))


def addresses_in(home: Path) -> Iterator[str]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted((home / "runs").rglob("*.parquet")):
        for _, column in _texts(pq.read_table(path)):
            hits = pc.fill_null(pc.match_substring(column, "@"), False)
            for value in pc.unique(column.filter(hits)).to_pylist():
                yield from (one.casefold() for one in ADDRESS.findall(value))
    for path in [*(home / "runs").glob("*/manifest.json"), *(home / "state").rglob("*.json")]:
        yield from (one.casefold() for one in ADDRESS.findall(path.read_text("utf-8", errors="replace")))


def _escaped(address: str) -> str:
    return re.sub(rf"([^{_LETTERS}_@-])", r"\\\1", address)
