"""Changing numbers in YAML text where they stand, so that order and comments stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml as pyyaml

from retinue.errors import Place, Problem, ProjectError
from retinue.project.yaml import Where, documents


def rewritten(text: str, key: str, name: str, changes: Mapping[Where, Any], file: str) -> str:
    """The text with values changed in the document whose `key` is `name`; `changes` by path.

    A value that is there is replaced where it stands; one that is not is put into its mapping, at the
    top of the document just below `key`. The result is read again: raises ProjectError where it does
    not say what it should, as where a value is an alias (`*name`), which several places share.
    """
    wanted = _found(text, key, name, file)
    root = next(
        node
        for node in pyyaml.compose_all(text, Loader=pyyaml.SafeLoader)
        if isinstance(node, pyyaml.MappingNode) and _plain(node, key) == name
    )
    edits = [_edit(text, root, key, path, value) for path, value in changes.items()]
    done = text
    # From the end on, so that places before stay right; of insertions at one place the first comes first.
    order = sorted(range(len(edits)), key=lambda n: (edits[n].start, n), reverse=True)
    for edit in (edits[n] for n in order):
        done = done[: edit.start] + edit.text + done[edit.end :]
    for path, value in changes.items():
        _put(wanted, path, value)
    try:
        said = _found(done, key, name, file)
    except ProjectError:
        said = None
    if said != wanted:
        raise ProjectError(
            [
                Problem(
                    f"the numbers of {name} cannot be changed in place",
                    Place(file),
                    "write each of its weights out as a number, without aliases",
                )
            ]
        )
    return done


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def _edit(text: str, root: pyyaml.MappingNode, key: str, path: Where, value: Any) -> _Edit:
    node: Any = root
    for depth, part in enumerate(path):
        child = _child(node, part)
        if child is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _inserted(text, node, key if depth == 0 else None, f"{part}: {_shown(value)}")
        node = child
    return _Edit(node.start_mark.index, node.end_mark.index, _shown(value))


def _inserted(text: str, node: Any, after: str | None, told: str) -> _Edit:
    """A new key of a mapping: first in it, or below the line of the key `after`."""
    if node.flow_style:
        return _Edit(
            node.start_mark.index + 1, node.start_mark.index + 1, f"{told}, " if node.value else told
        )
    first = node.value[0][0]
    if after is not None:
        end = next(value.end_mark.index for name, value in node.value if name.value == after)
        line = text.find("\n", end)
        at = len(text) if line < 0 else line
        return _Edit(at, at, f"\n{' ' * first.start_mark.column}{told}")
    at = first.start_mark.index
    return _Edit(at, at, f"{told}\n{' ' * first.start_mark.column}")


def _child(node: Any, part: str | int) -> Any:
    if not isinstance(node, pyyaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == part), None)


def _plain(node: pyyaml.MappingNode, key: str) -> str | None:
    found = _child(node, key)
    return found.value if isinstance(found, pyyaml.ScalarNode) else None


def _shown(value: Any) -> str:
    """A value in flow style: numbers as short as they can be."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(one)}" for name, one in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def _put(data: Any, path: Where, value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
    data[path[-1]] = value


def _found(text: str, key: str, name: str, file: str) -> Any:
    """The data of the document, without what the environment says."""
    problems: list[Problem] = []
    found = [
        document.data
        for document in documents(text, file, _Anything(), problems)
        if isinstance(document.data, dict) and document.data.get(key) == name
    ]
    if len(found) != 1:
        raise ProjectError(problems or [Problem(f"no {key} {name} in the file", Place(file))])
    return found[0]


class _Anything(dict[str, str]):
    """An environment that knows every name: what is compared is what is written."""

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - as a mapping is asked
        return ""
