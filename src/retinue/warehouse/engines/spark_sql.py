"""How Spark says what DuckDB says in a word: Ibis's compiler, where the two would differ.

Everything that is compiled here gives what DuckDB gives for the same values; tests/engines holds
them against each other. Times without a zone are TIMESTAMP_NTZ and instants TIMESTAMP_LTZ.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.backends.sql.datatypes import PySparkType

from retinue.errors import RunError

_WALL = sge.DataType.Type.TIMESTAMPNTZ
_INSTANT = sge.DataType.Type.TIMESTAMPLTZ
# As DuckDB reads a day, but for the years that nothing here can have.
_DAY = r"^\s*[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}([ T].*)?\s*$"

_CONTROL = re.compile(r"([\x00-\x08\x0b\x0c\x0e-\x1f])")

#: Marks of strptime in the letters of java.time; `%Z` is a name such as Europe/Paris.
_MARKS = {
    "Y": "y",
    "y": "yy",
    "m": "M",
    "b": "MMM",
    "B": "MMMM",
    "d": "d",
    "j": "D",
    "H": "H",
    "I": "h",
    "p": "a",
    "M": "m",
    "S": "s",
    "f": "SSSSSS",
    "z": "[xxx][xx][x]",
    "Z": "VV",
}
_WIDE = {"y": "yyyy", "M": "MM", "d": "dd", "D": "DDD", "H": "HH", "h": "hh", "m": "mm", "s": "ss"}


class Types(PySparkType):
    """Names of types that do not depend on a setting of the session."""

    @classmethod
    def _from_ibis_Timestamp(cls, dtype: Any) -> Any:
        return sge.DataType(this=_WALL if dtype.timezone is None else _INSTANT)


def java_pattern(pattern: str) -> str:
    """A pattern of strptime in the letters of java.time; raises RunError where there is none."""
    spelled = pattern.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d")
    parts = re.findall(r"%-?(.)|([^%])", spelled)
    letters: list[str] = []
    for mark, _ in parts:
        if mark and mark != "%" and mark not in _MARKS:
            raise RunError(
                f"Spark cannot read times with %{mark} in their `format`",
                hint="read them in a view of its catalog, and name a column of times",
            )
        letters.append(_MARKS.get(mark, ""))
    written = ""
    for n, ((mark, literal), letter) in enumerate(zip(parts, letters, strict=True)):
        if letter:
            # Numbers that touch need their width; others may lack a leading zero.
            touching = (n and letters[n - 1]) or (n + 1 < len(letters) and letters[n + 1])
            written += _WIDE.get(letter, letter) if touching else letter
        else:
            text = literal or mark
            quoted = "''" if text == "'" else f"'{text}'"
            written += text if text in " -/:.," else quoted
    return written


class Compiler(PySparkCompiler):
    """PySpark's compiler, where what Ibis makes of an expression would differ from DuckDB."""

    __slots__ = ()

    type_mapper = Types

    # --- nulls and numbers --------------------------------------------------------------------

    def visit_IsNull(self, op: Any, *, arg: Any) -> Any:
        # NaN is a value, here as elsewhere; facts have none left.
        return arg.is_(sge.Null())

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:
        return arg.is_(sg.not_(sge.Null()))

    def visit_IsInf(self, op: Any, *, arg: Any) -> Any:
        return self.f.abs(arg).eq(self.POS_INF)

    def visit_IsNan(self, op: Any, *, arg: Any) -> Any:
        return self.if_(arg.is_(sge.Null()), sge.Null(), self.f.isnan(arg))

    def visit_Round(self, op: Any, *, arg: Any, digits: Any) -> Any:
        if not op.arg.dtype.is_floating() or digits is None:
            return super().visit_Round(op, arg=arg, digits=digits)
        # By the double that is nearest, not by the digits that it is written with.
        power = self.cast(10.0**op.digits.value, dt.float64)
        return self.f.round(sge.Mul(this=sge.paren(arg), expression=power)) / power

    def _double_as_decimal(self, number: Any, to: Any) -> Any:
        """In the same way, and null where it does not fit."""
        power = self.cast(10.0**to.scale, dt.float64)
        whole = self.cast(self.f.round(sge.Mul(this=sge.paren(number), expression=power)), dt.int64)
        unit = self.cast(str(Decimal(1).scaleb(-to.scale)), dt.Decimal(max(to.scale, 1), to.scale))
        exact = sge.Mul(this=self.cast(whole, dt.Decimal(19, 0)), expression=unit)
        fits = sge.LT(
            this=self.f.abs(number), expression=self.cast(10.0 ** (to.precision - to.scale), dt.float64)
        )
        return self.if_(
            fits, sge.TryCast(this=exact, to=self.type_mapper.from_ibis(to), safe=True), sge.Null()
        )

    def visit_Hash(self, op: Any, *, arg: Any) -> Any:
        # `hash` has 32 bits: among a million rows some are equal by chance.
        return self.f.xxhash64(arg)

    def visit_FloorDivide(self, op: Any, *, left: Any, right: Any) -> Any:
        if op.left.dtype.is_integer() and op.right.dtype.is_integer():
            quotient = sge.IntDiv(this=sge.paren(left), expression=sge.paren(right))
            rest = self.f.anon.pmod(left, right)
            # `div` cuts towards zero.
            below = sg.and_(rest.neq(0), sge.LT(this=sge.paren(left), expression=sge.convert(0)))
            floored = sge.Sub(this=quotient, expression=self.if_(below, 1, 0))
            return self.cast(sge.paren(floored), op.dtype)
        return super().visit_FloorDivide(op, left=left, right=right)

    def visit_Multiply(self, op: Any, *, left: Any, right: Any) -> Any:
        """Decimals as they were before they were widened: 38 digits hold the product of two of 18."""
        if op.left.dtype.is_decimal() and op.right.dtype.is_decimal():
            left, right = _as_narrow(op.left, left), _as_narrow(op.right, right)
        return self.binop(sge.Mul, left, right)

    # --- text ---------------------------------------------------------------------------------

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
        if dtype.is_string() and _CONTROL.search(value):
            # Spark knows few escapes: it reads that of a form feed as the letter f.
            parts = [one for one in _CONTROL.split(value) if one]
            marks = (self.f.anon.char(ord(one)) if _CONTROL.match(one) else one for one in parts)
            return self.f.concat(*marks)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_Strip(self, op: Any, *, arg: Any) -> Any:
        space = self.f.concat(" \t\n\r", self.f.anon.char(11), self.f.anon.char(12))
        return sge.Trim(this=arg, expression=space, position="BOTH")

    def visit_StringSplit(self, op: Any, *, arg: Any, delimiter: Any) -> Any:
        return self.f.anon.split(arg, f"\\Q{op.delimiter.value}\\E")

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:
        kind = op.arg.dtype
        if kind.is_floating() and to.is_string():
            return self._double_as_text(arg)
        if kind.is_floating() and to.is_integer():
            # Java cuts off what is behind the point.
            return self.cast(self.f.anon.rint(arg), to)
        if kind.is_timestamp() and kind.timezone is not None and to.is_string():
            zone = self.f.regexp_replace(self.f.anon.date_format(arg, "xxx"), ":00$", "")
            return self.f.concat(self.cast(arg, to), zone)
        return super().visit_Cast(op, arg=arg, to=to)

    def _double_as_text(self, number: Any) -> Any:
        """As Python writes it; Spark has exponents from 1e7 on."""
        f = self.f
        text, size = self.cast(number, dt.string), f.abs(number)

        def digits(scale: int) -> Any:
            exact = self.cast(self.cast(number, dt.Decimal(38, scale)), dt.string)
            return f.regexp_replace(exact, r"(\.[0-9]+?)0+$", "$1")

        power = text
        for found, instead in (
            (r"\.0E", "E"),
            ("E-([0-9])$", "E-0$1"),
            ("E([0-9])$", "E+0$1"),
            ("E([0-9]{2,})$", "E+$1"),
            ("E", "e"),
        ):
            power = f.regexp_replace(power, found, instead)
        usual = sg.or_(number.is_(sge.Null()), size.eq(0), sg.and_(size >= 1e-3, size < 1e7))
        return sge.Case(
            ifs=[
                self.if_(usual, text),
                self.if_(f.isnan(number), "nan"),
                self.if_(size.eq(self.POS_INF), f.lower(f.replace(text, "inity", ""))),
                self.if_(sg.and_(size >= 1e7, size < 1e16), digits(9)),
                self.if_(sg.and_(size >= 1e-4, size < 1e-3), digits(30)),
            ],
            default=power,
        )

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        cast = super().visit_TryCast(op, arg=arg, to=to)
        if op.arg.dtype.is_floating() and to.is_decimal() and (to.precision or 38) <= 18:
            return self._double_as_decimal(arg, to)
        if not op.arg.dtype.is_string():
            return cast
        if to.is_floating():
            # Java's way to mark a double or a float, and to write one in powers of two.
            return self.if_(self.f.regexp_like(arg, r"[0-9.][dDfF]\s*$|[xX]"), sge.Null(), cast)
        if to.is_date():
            return self.if_(self.f.regexp_like(arg, _DAY), cast, sge.Null())
        if to.is_timestamp() and to.timezone is None:
            # Midnight as the end of a day.
            start = self.f.regexp_replace(arg, "([ T])24:", "$100:")
            start = sge.TryCast(this=start, to=self.type_mapper.from_ibis(to), safe=True)
            day = sge.Interval(this=sge.convert(1), unit=sge.Var(this="DAY"))
            ended = self.f.regexp_like(arg, r"[ T]24:00(:00(\.0+)?)?\s*$")
            return self.if_(ended, sge.Add(this=start, expression=day), cast)
        return cast

    def visit_RegexReplace(self, op: Any, *, arg: Any, pattern: Any, replacement: Any) -> Any:
        # Groups are $1 in Java, and a dollar is not itself.
        told = op.replacement.value.replace("$", "\\$")
        return self.f.regexp_replace(arg, pattern, re.sub(r"\\([0-9])", r"$\1", told))

    # --- days and times -----------------------------------------------------------------------

    def visit_DateAdd(self, op: Any, *, left: Any, right: Any) -> Any:
        return self._moved(op, left, right, 1)

    def visit_DateSub(self, op: Any, *, left: Any, right: Any) -> Any:
        return self._moved(op, left, right, -1)

    def _moved(self, op: Any, left: Any, right: Any, way: int) -> Any:
        by = op.right
        if isinstance(by, ops.IntervalFromInteger) and by.unit.short == "D":
            days = right.expressions[0]
        elif isinstance(by, ops.Literal) and by.dtype.unit.short == "D":
            days = sge.convert(by.value)
        else:
            return self.binop(sge.Add if way > 0 else sge.Sub, left, right)
        return self.f.anon.date_add(left, days if way > 0 else -sge.paren(days))

    def visit_IntervalFromInteger(self, op: Any, *, arg: Any, unit: Any) -> Any:
        if unit.short == "D":
            return self.f.anon.make_dt_interval(arg)
        return super().visit_IntervalFromInteger(op, arg=arg, unit=unit)

    def visit_TimestampRange(self, op: Any, *, start: Any, stop: Any, step: Any) -> Any:
        """Up to `stop` without it; steps go forwards."""
        last = sge.paren(sge.Sub(this=stop, expression=step))
        reached = self.f.anon.sequence(start, last, step)
        return self.if_(sge.GT(this=sge.paren(start), expression=last), self.f.array(), reached)

    @property
    def _epoch(self) -> Any:
        return sge.Cast(this=sge.convert("1970-01-01"), to=sge.DataType(this=_WALL))

    def _local(self, zone: Any, instant: Any) -> Any:
        count = self.f.anon.unix_micros(instant)
        utc = self.f.anon.timestampadd(sge.Var(this="MICROSECOND"), count, self._epoch)
        return self.f.anon.convert_timezone("UTC", zone, utc)

    def _instant(self, zone: Any, wall: Any) -> Any:
        """Where clocks show a time twice, the second time, as DuckDB and PostgreSQL have it."""
        convert = self.f.anon.convert_timezone
        utc = convert(zone, "UTC", wall)
        found = utc
        for minutes in (60, 30):  # clocks go back by an hour, or by half of one
            interval = sge.Interval(this=sge.convert(minutes), unit=sge.Var(this="MINUTE"))
            later = sge.paren(sge.Add(this=utc, expression=interval))
            found = self.if_(convert("UTC", zone, later).eq(wall), later, found)
        count = self.f.anon.timestampdiff(sge.Var(this="MICROSECOND"), self._epoch, found)
        return self.f.anon.timestamp_micros(count)

    # --- functions that Ibis has no word for --------------------------------------------------

    def visit_ScalarUDF(self, op: Any, **told: Any) -> Any:
        arguments = list(told.values())
        match op.__func_name__:
            case "timezone":
                return (self._instant if op.dtype.timezone else self._local)(*arguments)
            case "try_strptime":
                return self._parsed(op, arguments[0])
            case "json_valid":
                return self._keys(arguments[0]).is_(sg.not_(sge.Null()))
            case "json_type":
                known = self._keys(arguments[0]).is_(sg.not_(sge.Null()))
                return self.if_(known, "OBJECT", "OTHER")
            case "json_keys":
                return self._keys(arguments[0])
            case "json_extract_string":
                values = self.f.anon.from_json(arguments[0], "map<string,string>")
                names = [str(one.value) for one in op.args[1].exprs]
                return self.f.array(*(self.f.anon.try_element_at(values, _key(name)) for name in names))
            case "to_json" if op.args[0].dtype.is_string():
                listed = self.f.anon.to_json(self.f.array(arguments[0]))
                quoted = self.f.anon.substring(listed, 2, self.f.length(listed) - 2)
                return self.if_(arguments[0].is_(sge.Null()), sge.Null(), quoted)
        return super().visit_ScalarUDF(op, **told)

    def _keys(self, text: Any) -> Any:
        """The keys of a JSON object; null for all else."""
        return self.f.anon.json_object_keys(text)

    def _parsed(self, op: Any, text: Any) -> Any:
        pattern = java_pattern(op.args[1].value)
        if op.dtype.timezone is None:
            read = self.f.anon.try_to_timestamp(text, pattern)
            if "%y" in op.args[1].value:  # 69 is 1969, but not for Java
                century = sge.Interval(this=sge.convert(100), unit=sge.Var(this="YEAR"))
                read = self.if_(self.f.year(read) >= 2069, sge.Sub(this=read, expression=century), read)
            return read
        # Of the functions that read instants, only this one gives null for what is none.
        line = self.f.anon.to_json(sge.Struct.from_arg_list([text.as_("told")]))
        options = self.f.anon.map("timestampFormat", pattern, "mode", "PERMISSIVE")
        read = self.f.anon.from_json(line, "told TIMESTAMP_LTZ", options)
        instant = sge.Dot(this=read, expression=sg.to_identifier("told"))
        if not op.args[1].value.endswith("%z"):
            return instant
        # The three ways to write an offset are optional parts for Java, but one has to be there.
        return self.if_(self.f.regexp_like(text, r"[+-][0-9]{2}(:?[0-9]{2})?$"), instant, sge.Null())


def _key(pointer: str) -> str:
    return pointer[1:].replace("~1", "/").replace("~0", "~")


def _as_narrow(op: Any, compiled: Any) -> Any:
    """A decimal of up to 18 digits without the cast that gave it more."""
    if isinstance(op, ops.Cast | ops.TryCast):
        of = op.arg.dtype
        if of.is_decimal() and of.precision and of.precision <= 18 and of.scale <= op.dtype.scale:
            return compiled.this
    return compiled


compiler = Compiler()
