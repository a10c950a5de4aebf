"""The little language of `when` and `where`: `overdue_amount > 0 and segment in (smb, mid)`.

It is parsed by us into a tree of comparisons and never becomes SQL text, so a condition
can neither read a file nor start a second statement.

    condition  = or ;  or = and {"or" and} ;  and = not {"and" not} ;  not = ["not"] atom
    atom       = "(" or ")" | name op value | name ["not"] "in" "(" value {"," value} ")"
               | name "is" ["not"] "missing"
    op         = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    name       = word | `any text`
    value      = number | true | false | date | word | 'text' | "text"

A quote inside quoted text is doubled: `'it''s'`. A date (2024-03-31) is a text value.

A comparison with a missing value is false, and so is `not` of nothing at all: `not (x > 1)`
is true when `x` is missing, because the comparison inside is false.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias, cast

Value: TypeAlias = "str | float | int | bool"
Condition: TypeAlias = "Comparison | Membership | Missing | Every | Some | Not"
Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Comparison:
    name: str
    op: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    name: str


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold (`and`)."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them holds (`or`)."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


_TOKEN = re.compile(
    r"""\s*(?:(?P<date>\d{4}-\d{2}-\d{2}(?![\w.\-]))
          |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
          |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
          |(?P<op><=|>=|==|!=|<>|=|<|>)
          |(?P<mark>[(),])
          |(?P<word>[^\W\d][\w.\-]*)|`(?P<quoted>(?:[^`]|``)+)`)""",
    re.VERBOSE,
)
_KEYWORDS = {"and", "or", "not", "in", "is", "missing"}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_ALIASES = {"==": "=", "<>": "!="}

#: Levels of a condition. What is shown has one pair of brackets per level, so the parser,
#: which recurses per bracket, must read more brackets than a condition may have levels.
_MOST_LEVELS = 40
_MOST_BRACKETS = 60
_MOST_DIGITS = 18


def parse(text: str) -> Condition:
    """The condition that `text` says; raises ValueError with the position of what is wrong."""
    parser = _Parser(text)
    condition = parser.some()
    parser.finish()
    if _levels(condition) > _MOST_LEVELS:
        raise ValueError(f"a condition with more than {_MOST_LEVELS} levels of `and`, `or` and `not`")
    return condition


def _levels(condition: Condition) -> int:
    match condition:
        case Every(parts=parts) | Some(parts=parts):
            return 1 + max(_levels(part) for part in parts)
        case Not(part=part):
            return 1 + _levels(part)
    return 1


def names(condition: Condition) -> Iterator[str]:
    """Every name that the condition looks at, in order, repeats included."""
    match condition:
        case Comparison(name=name) | Membership(name=name) | Missing(name=name):
            yield name
        case Every(parts=parts) | Some(parts=parts):
            for part in parts:
                yield from names(part)
        case Not(part=part):
            yield from names(part)


def needs(condition: Condition, name: str) -> bool:
    """Whether the condition can only hold where `name` has a value."""
    match condition:
        case Comparison(name=other) | Membership(name=other):
            return other == name
        case Every(parts=parts):
            return any(needs(part, name) for part in parts)
        case Some(parts=parts):
            return all(needs(part, name) for part in parts)
        case Not(part=Missing(name=other)):
            return other == name
    return False


def show(condition: Condition) -> str:
    """Text that `parse` reads back as the same condition."""
    match condition:
        case Comparison(name=name, op=op, value=value):
            return f"{_show_name(name)} {op} {_show_value(value)}"
        case Membership(name=name, values=values):
            return f"{_show_name(name)} in ({', '.join(map(_show_value, values))})"
        case Missing(name=name):
            return f"{_show_name(name)} is missing"
        case Every(parts=parts):
            return " and ".join(f"({show(part)})" for part in parts)
        case Some(parts=parts):
            return " or ".join(f"({show(part)})" for part in parts)
        case Not(part=part):
            return f"not ({show(part)})"


def _show_name(name: str) -> str:
    plain = re.fullmatch(r"[^\W\d][\w.\-]*", name) and name.lower() not in _KEYWORDS
    return name if plain else "`" + name.replace("`", "``") + "`"


def _show_value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def evaluate(condition: Condition, names: Mapping[str, Any]) -> bool:
    """Whether `condition` holds for these values; None and absent names are missing.

    It gives what the conditions of a run give, for one account at a time: text meets numbers and
    flags where it reads as one, dates meet ISO text.
    """
    match condition:
        case Every(parts=parts):
            return all(evaluate(part, names) for part in parts)
        case Some(parts=parts):
            return any(evaluate(part, names) for part in parts)
        case Not(part=part):
            return not evaluate(part, names)
        case Missing(name=name):
            return names.get(name) is None
        case Membership(name=name, values=values):
            return any(evaluate(Comparison(name, "=", value), names) for value in values)
        case Comparison(name=name, op=op, value=value):
            left, right = _alike(names.get(name), value)
            return left is not None and right is not None and _OPERATORS[op](left, right)


def _alike(given: Any, value: Value) -> tuple[Any, Any]:
    """Both sides in one type: what is written decides for text, what is given otherwise."""
    if given is None:
        return None, None
    if isinstance(value, bool):
        if isinstance(given, str):
            return _FLAGS.get(given.lower()), value
        return (given, int(value)) if isinstance(given, int | float) else (None, None)
    if isinstance(value, int | float):
        if isinstance(given, str):
            try:
                return float(given), float(value)
            except ValueError:
                return None, None
        return (given, value) if isinstance(given, int | float) else (None, None)
    if isinstance(given, bool):
        return str(given).lower(), value
    if isinstance(given, date):
        try:
            return date.fromisoformat(given.isoformat()[:10]), date.fromisoformat(value[:10])
        except ValueError:
            return None, None
    return str(given), value


def where_mapping(mapping: dict[str, Any]) -> Condition:
    """`{event: [login, edit], beta: false}` as a condition: all keys hold, a list means any of.

    Raises ValueError for anything that is not a value.
    """
    parts: list[Condition] = []
    for name, told in mapping.items():
        values = told if isinstance(told, list | tuple) else [told]
        if not name:
            raise ValueError("a name is empty")
        if not values:
            raise ValueError(f"the list of values of `{name}` is empty")
        for value in values:
            if value is None:
                raise ValueError(f'`{name}` has no value; write where: "{name} is missing" for empty ones')
            if not isinstance(value, str | int | float) or not _finite(value):
                raise ValueError(f"a value of `{name}` is text, a number, true or false, or a list of them")
        parts.append(Membership(name, tuple(values)))
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def _finite(value: Value) -> bool:
    return isinstance(value, str) or math.isfinite(value)


class _Parser:
    def __init__(self, text: str):
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.brackets = 0
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                start = next(n for n in range(at, end) if not text[n].isspace())
                raise ValueError(self._wrong(f"unexpected {text[start]!r}", start))
            kind = cast("str", match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self.at = 0

    def _wrong(self, what: str, position: int) -> str:
        shown = self.text if len(self.text) <= 80 else self.text[:77] + "..."
        return f"{what} at character {position + 1} of {shown!r}"

    def _peek(self) -> tuple[str, str, int]:
        end = ("end", "the end", len(self.text))
        return self.tokens[self.at] if self.at < len(self.tokens) else end

    def _take(self) -> tuple[str, str, int]:
        token = self._peek()
        self.at += 1
        return token

    def _accept(self, word: str) -> bool:
        kind, text, _ = self._peek()
        if kind in {"word", "mark"} and text.lower() == word:
            self.at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            _, text, position = self._peek()
            raise ValueError(self._wrong(f"expected {word!r}, found {text!r}", position))

    def finish(self) -> None:
        kind, text, position = self._peek()
        if kind != "end":
            raise ValueError(self._wrong(f"unexpected {text!r}", position))

    def some(self) -> Condition:
        return self._joined("or", lambda: self._joined("and", self._negated, Every), Some)

    def _joined(self, word: str, part: Callable[[], Condition], join: type[Every | Some]) -> Condition:
        parts = [part()]
        while self._accept(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def _negated(self) -> Condition:
        self.brackets += 1
        if self.brackets > _MOST_BRACKETS:
            raise ValueError(f"a condition with more than {_MOST_BRACKETS} levels of brackets")
        negated = self._bracketed()
        self.brackets -= 1
        return negated

    def _bracketed(self) -> Condition:
        if self._accept("not"):
            return Not(self._negated())
        if self._accept("("):
            inner = self.some()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        kind, name, position = self._take()
        if kind != "quoted" and (kind != "word" or name.lower() in _KEYWORDS):
            raise ValueError(self._wrong(f"expected a name, found {name!r}", position))
        if kind == "quoted":
            name = name.replace("``", "`")
        if self._accept("is"):
            negate = self._accept("not")
            self._expect("missing")
            return Not(Missing(name)) if negate else Missing(name)
        if self._accept("not"):
            self._expect("in")
            return Not(Membership(name, self._values()))
        if self._accept("in"):
            return Membership(name, self._values())
        kind, op, position = self._take()
        if kind != "op":
            raise ValueError(self._wrong(f"expected a comparison, found {op!r}", position))
        return Comparison(name, cast("Operator", _ALIASES.get(op, op)), self._value())

    def _values(self) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Value:
        kind, text, position = self._take()
        if kind == "number":
            return self._number(text, position)
        if kind == "date":
            return text
        if kind == "text":
            quote = text[0]
            return text[1:-1].replace(quote * 2, quote)
        if kind == "word" and text.lower() not in _KEYWORDS:
            return {"true": True, "false": False}.get(text.lower(), text)
        raise ValueError(self._wrong(f"expected a value, found {text!r}", position))

    def _number(self, text: str, position: int) -> float | int:
        if re.search(r"[.eE]", text):
            value = float(text)
            if math.isfinite(value):
                return value
        elif len(text.lstrip("-")) <= _MOST_DIGITS:
            return int(text)
        raise ValueError(self._wrong("a number that is too long", position))
