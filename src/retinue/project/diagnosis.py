"""What pydantic found wrong in a declaration, as problems that a person can act on."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from retinue.errors import Problem
from retinue.project.metrics import KINDS
from retinue.project.yaml import Document, Where

_MOST_NAMES = 14

#: Keys that people write in retinue.yaml though they have a file of their own.
_ELSEWHERE = {
    "metrics": "metrics go in metrics.yaml or in files of the folder metrics",
    "scorecard": "scorecards go in files of the folder scorecards",
    "components": "components are part of a scorecard, in the folder scorecards",
    "sources": 'sources are declared under "facts"',
}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be."""
    names = sorted(set(known))
    folded = {name.casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def suggestion(word: str, known: Iterable[str], what: str = "known here") -> str | None:
    """`did you mean "window"?`, or the list of what there is, or None if that is too long."""
    names = sorted(set(known))
    meant = nearest(word, names)
    if meant is not None:
        return f'did you mean "{meant}"?'
    return f"{what}: {', '.join(names)}" if 0 < len(names) <= _MOST_NAMES else None


def problems(error: ValidationError, declared: Any, document: Document, above: Where) -> list[Problem]:
    """One problem per thing that is wrong in what stands at `above` in the document.

    `declared` is the type that it was read as.
    """
    found: dict[Where, list[Any]] = {}
    for detail in error.errors(include_url=False):
        data = _at(document.data, above)
        path = _path(detail["loc"], data, detail["type"] == "missing")
        if not _follows(detail, _at(data, path)):
            found.setdefault(path, []).append(detail)
    misspelt = _misspelt(found, declared, document, above)
    # A value of several types, none of which fits, is told once.
    return [
        _problem(details, path, declared, document, above)
        for path, several in found.items()
        if path not in misspelt
        for details in ([several] if _alternatives(several) else [[one] for one in several])
    ]


def _follows(detail: Any, value: Any) -> bool:
    """Whether a list is only too short because its items were left out as wrong."""
    return (
        detail["type"] == "too_short"
        and isinstance(value, list)
        and len(value) >= detail["ctx"]["min_length"]
    )


def _misspelt(found: dict[Where, list[Any]], declared: Any, document: Document, above: Where) -> set[Where]:
    """Keys that are missing only because they are there under a misspelt name."""
    unknown = {path for path, details in found.items() if details[0]["type"] == "extra_forbidden"}
    meant = {
        (
            *path[:-1],
            nearest(
                str(path[-1]), _field_names(declared, path[:-1], _at(document.data, (*above, *path[:-1])))
            ),
        )
        for path in unknown
    }
    return {path for path, details in found.items() if details[0]["type"] == "missing" and path in meant}


def _alternatives(details: list[Any]) -> bool:
    return len(details) > 1 and all(d["type"] != "extra_forbidden" for d in details)


def _path(location: Sequence[str | int], data: Any, absent: bool) -> Where:
    """`location` without the parts that name branches of unions instead of data.

    If something is `absent`, the last part is what should be there.
    """
    path: list[str | int] = []
    for position, part in enumerate(location):
        is_key = isinstance(data, dict) and part in data
        is_item = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if is_key or is_item:
            data = data[part]
        elif not (absent and position == len(location) - 1):
            continue
        path.append(part)
    return tuple(path)


def _at(data: Any, path: Where) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _problem(details: list[Any], path: Where, declared: Any, document: Document, above: Where) -> Problem:
    detail = details[0]
    whole = (*above, *path)
    place = document.place(whole)
    key = str(path[-1]) if path else ""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Problem(
            f'unknown key "{_cut(key)}"', place, _unknown_key(key, path, declared, document, above)
        )
    if detail["loc"] and detail["loc"][-1] == "[key]":
        return Problem(f'unknown key "{_cut(key)}"', place, suggestion(key, _keys_at(declared, path[:-1])))
    if kind == "missing" and isinstance(detail["loc"][-1], str):
        subject = f" in {_named(path[:-1])}" if path[:-1] else ""
        return Problem(f'"{key}" is missing{subject}', place)
    if kind == "missing":
        path = path[:-1]
    subject = f"{_named(path)}: " if path else ""
    if kind == "union_tag_not_found":
        if any(k in str(detail["ctx"].get("discriminator", "")) for k in ("_kind_of", "kind_of")):
            return _no_kind(_at(document.data, whole), whole, document)
        return Problem(
            f"{subject}not a curve",
            place,
            "write knots such as [[0, 0], [10, 100]], or one of `points`, `steps` and `target`, or cohort",
        )
    message, hint = _said(details, _at(document.data, whole))
    return Problem(subject + message, place, hint)


def _unknown_key(key: str, path: Where, declared: Any, document: Document, above: Where) -> str | None:
    if ")" in key:
        return "inside { }, text with a comma needs quotes"
    known = _field_names(declared, path[:-1], _at(document.data, (*above, *path[:-1])))
    hint = suggestion(key, known, "allowed here")
    if len(path) == 1 and not above and key in _ELSEWHERE and "facts" in known:
        return _ELSEWHERE[key]
    return hint


def _no_kind(metric: Any, whole: Where, document: Document) -> Problem:
    kinds = [kind.kind for kind in KINDS]
    place = document.place(whole)
    if not isinstance(metric, dict):
        return Problem("a metric is a mapping with a kind", place, "such as {count: usage, window: 28d}")
    found = [kind for kind in kinds if kind in metric]
    if len(found) > 1:
        return Problem(f"more than one kind of metric: {', '.join(found)}", place, "keep one of them")
    known = {name for kind in KINDS for name in kind.model_fields} - set(kinds)
    for key in metric:
        meant = nearest(key, kinds) if key not in known else None
        if meant:
            at = document.place((*whole, key))
            return Problem(
                f'no kind of metric found; unknown key "{_cut(key)}"', at, f'did you mean "{meant}"?'
            )
    return Problem("no kind of metric found", place, f"the kinds: {', '.join(kinds)}")


_EXPECTED = {
    "string_type": "text",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping of keys and values",
    "model_type": "a mapping of keys and values",
    "model_attributes_type": "a mapping of keys and values",
    "tuple_type": "a list",
    "list_type": "a list",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def _said(details: list[Any], value: Any) -> tuple[str, str | None]:
    detail = details[0]
    kind, context = detail["type"], detail.get("ctx", {})
    expected = list(dict.fromkeys(_EXPECTED[d["type"]] for d in details if d["type"] in _EXPECTED))
    if "a number" in expected and "a whole number" in expected:
        expected.remove("a whole number")
    if kind in _EXPECTED:
        hint = None
        if "text" in expected and isinstance(value, int | float) and not isinstance(value, bool):
            hint = f'put quotes around it: "{value}"'
        return f"expected {' or '.join(expected)}, found {_shown(value)}", hint
    if kind == "literal_error":
        allowed = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ", ").split(",")]
        hint = suggestion(value, allowed, "allowed") if isinstance(value, str) else None
        return f"{_shown(value)} is not allowed here", hint or f"allowed: {', '.join(allowed)}"
    if kind in _BOUNDS:
        name, word = _BOUNDS[kind]
        return f"must be {word} {context[name]:g}, not {_shown(value)}", None
    if kind == "value_error":
        message, _, hint = str(context["error"]).partition("; ")
        return message, hint or None
    if kind == "missing":
        return "has too few items", None
    if kind in {"too_short", "string_too_short"}:
        return f"needs at least {context.get('min_length', 1)}, found {_shown(value)}", None
    if kind in {"too_long", "string_too_long"}:
        return f"has more than {context.get('max_length')} items, or characters", None
    return str(detail["msg"])[:1].lower() + str(detail["msg"])[1:], None


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f'"{_cut(value)}"'
        case list():
            return "an empty list" if not value else "a list"
        case dict():
            return "an empty mapping" if not value else "a mapping"
    return type(value).__name__


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def _named(path: Where) -> str:
    """`windows` for the last key of a path, `item 2 of windows` for a position in a list."""
    for position in range(len(path) - 1, -1, -1):
        if isinstance(path[position], str):
            inside = path[position + 1 :]
            of = "".join(f"item {int(n) + 1} of " for n in reversed(inside))
            return f"{of}{_cut(str(path[position]))}"
    return "".join(f"item {int(n) + 1}" for n in path[-1:])


def _field_names(declared: Any, path: Where, data: Any) -> set[str]:
    """Keys that may stand at `path`; of several declarations, those of the one most alike."""
    options = [
        {info.alias or name for name, info in model.model_fields.items()} for model in _models(declared, path)
    ]
    keys = set(data) if isinstance(data, dict) else set()
    return max(options, key=lambda names: len(names & keys), default=set())


def _models(declared: Any, path: Where) -> Iterator[type[BaseModel]]:
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        yield from _models(arguments[0], path)
    elif origin in {Union, types.UnionType}:
        for option in arguments:
            yield from _models(option, path)
    elif isinstance(declared, type) and issubclass(declared, BaseModel):
        if not path:
            yield declared
        for name, info in declared.model_fields.items():
            if path and path[0] == (info.alias or name):
                yield from _models(info.annotation, path[1:])
    elif origin is dict and path:
        yield from _models(arguments[1], path[1:])
    elif origin in {tuple, list} and path:
        yield from _models(arguments[0], path[1:])


def _keys_at(declared: Any, path: Where) -> list[str]:
    """The keys of a mapping whose keys are a closed list."""
    if get_origin(declared) is Annotated:
        return _keys_at(get_args(declared)[0], path)
    if not path:
        options = get_args(declared)[:1] if get_origin(declared) is dict else ()
        return [str(a) for o in options if get_origin(o) is Literal for a in get_args(o)]
    for model in _models(declared, path[:-1]):
        for name, info in model.model_fields.items():
            if path[-1] == (info.alias or name):
                return _keys_at(info.annotation, ())
    return []
