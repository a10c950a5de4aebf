"""YAML as plain data with the line of everything in it, safe against hostile files.

What is read is YAML 1.2's core: only `true` and `false` are booleans, so `no`, `on` and
`06:00` stay text, and dates stay text until a declaration wants a date. Tags, merge keys and
duplicate keys are refused. The document is built from parser events on a stack of our own:
depth and size are counted as they grow, an alias counts for all that it stands for but is
never copied, and nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml as pyyaml

from retinue.errors import Place, Problem
from retinue.project.environment import VariableError, expand

#: A path into the data of a document: keys of mappings and positions in lists.
Where = tuple[str | int, ...]

MOST_BYTES = 1_000_000
MOST_NODES = 100_000
MOST_DEPTH = 40
_MOST_DIGITS = 18

_LOADER: Any = getattr(pyyaml, "CSafeLoader", pyyaml.SafeLoader)

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|(nan|NaN|NAN))")


@dataclass(slots=True)
class Document:
    """One document of a file: its data, and the place of each key and item by path."""

    data: Any
    places: dict[Where, Place]

    def place(self, path: Where) -> Place:
        """Where `path` stands, or the nearest thing above it that is there."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return self.places[()]


class _RefusedError(Exception):
    def __init__(self, problem: Problem):
        self.problem = problem


@dataclass(slots=True)
class _Node:
    """A built value; `size` counts its nodes with every alias expanded."""

    value: Any
    size: int = 1
    depth: int = 1
    children: list[tuple[str | int, int, _Node]] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet."""

    node: _Node
    line: int
    anchor: str | None
    key: str | None = None
    key_line: int = 0
    lines: dict[str, int] = field(default_factory=dict)


def read(path: Path, file: str, problems: list[Problem]) -> str | None:
    """The text of a file, called `file` in messages; None, and a problem, if it has none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            problems.append(
                Problem("the file is larger than 1 MB", Place(file), "declarations are short; is this data?")
            )
            return None
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem(f"cannot read the file: {error.strerror or error}", Place(file)))
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem("the file is not UTF-8 text", Place(file, line), "save it as UTF-8"))
        return None


def documents(text: str, file: str, environ: Mapping[str, str], problems: list[Problem]) -> list[Document]:
    """The documents of a file, empty ones left out; what is wrong goes to `problems`.

    After an error that leaves the structure in doubt, no document is returned.
    """
    builder = _Builder(file, environ, problems)
    found = []
    try:
        for root, line in builder.roots(pyyaml.parse(text, Loader=_LOADER)):
            places: dict[Where, Place] = {(): Place(file, line)}
            places.update((path, Place(file, at)) for path, at in _paths(root))
            if root.value is not None:
                found.append(Document(root.value, places))
    except _RefusedError as refused:
        problems.append(refused.problem)
        return []
    except pyyaml.MarkedYAMLError as error:
        problems.append(_syntax(error, text, file))
        return []
    except pyyaml.YAMLError as error:
        position = getattr(error, "position", None)
        at = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
        problems.append(Problem("the file holds a character that YAML does not allow", Place(file, at)))
        return []
    return found


def _syntax(error: pyyaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    # The parser often notices at the start of the line after the one that is wrong.
    shown = lines[line] if line < len(lines) else ""
    around = [lines[n] for n in (line, line - 1) if 0 <= n < len(lines)]
    hint = "check the indentation, the colons and the quotes just above"
    if shown.startswith("\t") or "'\\t'" in str(error.problem) or "tab" in str(error.problem):
        hint = "indent with spaces, not tabs"
    elif any("${" in told for told in around):
        hint = 'inside { } or [ ], text with ${...} needs quotes: "${NAME}/file.csv"'
    elif "mapping values are not allowed" in str(error.problem):
        hint = "text with a colon needs quotes; a key is followed by a colon and a space"
    told = " ".join(str(error.problem or error.context or "it cannot be read").split())
    return Problem(f"not valid YAML: {told}", Place(file, line + 1), hint)


def _paths(root: _Node) -> Iterator[tuple[Where, int]]:
    stack: list[tuple[Where, _Node]] = [((), root)]
    while stack:
        path, node = stack.pop()
        for key, line, child in node.children:
            here = (*path, key)
            yield here, line
            if child.children:
                stack.append((here, child))


class _Builder:
    def __init__(self, file: str, environ: Mapping[str, str], problems: list[Problem]):
        self.file = file
        self.environ = environ
        self.problems = problems
        self.open: list[_Open] = []
        self.anchors: dict[str, _Node | None] = {}
        self.size = 0
        self.root: tuple[_Node, int] | None = None

    def roots(self, events: Iterator[Any]) -> Iterator[tuple[_Node, int]]:
        """The root of each document with the line (from 1) that it begins on."""
        for event in events:
            line = event.start_mark.line + 1
            match event:
                case pyyaml.DocumentStartEvent():
                    self.open, self.anchors, self.root = [], {}, None
                case pyyaml.DocumentEndEvent():
                    if self.root is not None:
                        yield self.root
                case pyyaml.ScalarEvent():
                    self._untagged(event, line)
                    self._scalar(event, line)
                case pyyaml.AliasEvent():
                    self._alias(event.anchor, line)
                case pyyaml.MappingStartEvent():
                    self._untagged(event, line)
                    self._begin({}, event.anchor, line)
                case pyyaml.SequenceStartEvent():
                    self._untagged(event, line)
                    self._begin([], event.anchor, line)
                case pyyaml.MappingEndEvent() | pyyaml.SequenceEndEvent():
                    self._end()

    def _refuse(self, message: str, line: int, hint: str | None = None) -> _RefusedError:
        return _RefusedError(Problem(message, Place(self.file, line), hint))

    def _untagged(self, event: Any, line: int) -> None:
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")[:60]
            raise self._refuse(f"the tag {tag} is not allowed", line, "leave it out; put quotes around text")

    def _begin(self, value: Any, anchor: str | None, line: int) -> None:
        if self._wants_key():
            raise self._refuse("a key is a word, not a list or a mapping", line)
        if len(self.open) >= MOST_DEPTH:
            raise self._refuse(f"nested more than {MOST_DEPTH} levels deep", line)
        if anchor:
            self.anchors[anchor] = None
        self.open.append(_Open(_Node(value), line, anchor))

    def _end(self) -> None:
        done = self.open.pop()
        if done.anchor:
            self.anchors[done.anchor] = done.node
        self._add(done.node, done.line)

    def _wants_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].node.value, dict) and self.open[-1].key is None

    def _scalar(self, event: Any, line: int) -> None:
        if self._wants_key():
            self._key(event, line)
            return
        plain = event.implicit[0]
        node = _Node(self._value(event.value, plain, line))
        if event.anchor:
            self.anchors[event.anchor] = node
        self._add(node, line)

    def _key(self, event: Any, line: int) -> None:
        key, parent = event.value, self.open[-1]
        if key == "<<" and event.implicit[0]:
            raise self._refuse("merge keys (<<) are not supported", line, "write the keys out")
        if event.anchor:
            raise self._refuse("an anchor on a key is not supported", line, "put it on the value")
        if key in parent.lines:
            self.problems.append(
                Problem(
                    f"the key {_short(key)} is there twice",
                    Place(self.file, line),
                    f"the first is on line {parent.lines[key]}; keep one",
                )
            )
        parent.lines.setdefault(key, line)
        parent.key, parent.key_line = key, line

    def _alias(self, anchor: str | None, line: int) -> None:
        if self._wants_key():
            raise self._refuse("an alias cannot be a key", line, "write the key out")
        if anchor is None or anchor not in self.anchors:
            raise self._refuse(f"the alias *{str(anchor)[:40]} has no anchor above it", line)
        node = self.anchors[anchor]
        if node is None:
            raise self._refuse(f"the alias *{anchor[:40]} stands inside its own anchor", line)
        if len(self.open) + node.depth > MOST_DEPTH:
            raise self._refuse(f"nested more than {MOST_DEPTH} levels deep", line)
        self._add(node, line)

    def _add(self, node: _Node, line: int) -> None:
        if not self.open:
            self.root = node, line
            return
        parent = self.open[-1]
        tree = parent.node
        tree.size += node.size
        tree.depth = max(tree.depth, node.depth + 1)
        if tree.size > MOST_NODES:
            raise self._refuse(
                f"more than {MOST_NODES:,} values with all aliases followed",
                line,
                "write out what is repeated",
            )
        if isinstance(tree.value, list):
            tree.children.append((len(tree.value), line, node))
            tree.value.append(node.value)
        else:
            assert parent.key is not None
            if parent.key not in tree.value:
                tree.children.append((parent.key, parent.key_line, node))
                tree.value[parent.key] = node.value
            parent.key = None

    def _value(self, text: str, plain: bool, line: int) -> Any:
        try:
            text = expand(text, self.environ)
        except VariableError as error:
            self.problems.append(Problem(str(error), Place(self.file, line), error.hint))
            return text
        return self._resolved(text, line) if plain else text

    def _resolved(self, text: str, line: int) -> Any:
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if len(text) <= 400:
            number = _number(text)
            if number is not None:
                return number
        if _INT.fullmatch(text) or _BASED.fullmatch(text):
            self.problems.append(
                Problem("a number with too many digits", Place(self.file, line), "put quotes around an id")
            )
        return text


def _number(text: str) -> int | float | None:
    if _INT.fullmatch(text) or _BASED.fullmatch(text):
        if len(text.lstrip("+-")) > _MOST_DIGITS:
            return None
        return int(text, 0) if _BASED.fullmatch(text) else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL.fullmatch(text)
    if special is None:
        return None
    return float("nan") if special[3] else float(special[1] + "inf")


def _short(text: str) -> str:
    return f'"{text[:40]}..."' if len(text) > 40 else f'"{text}"'
