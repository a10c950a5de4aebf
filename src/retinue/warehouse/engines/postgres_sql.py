"""How PostgreSQL says what DuckDB says in a word: a compiler, and functions of the session.

Everything that is compiled here gives what DuckDB gives for the same values; tests/engines holds
them against each other. The functions are in `pg_temp`, so they need no right but TEMP, and nobody
else sees them.
"""

from __future__ import annotations

import re
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.postgres import PostgresCompiler

from retinue.errors import RunError

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_DAY = r"(\d{4})-(\d{1,2})-(\d{1,2})"
_TIME = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?"
_ZONE = r"(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"

#: Made once per session. A value that does not fit gives null and never an error.
FUNCTIONS = (
    f"""
    CREATE FUNCTION pg_temp.retinue_double(told text) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    BEGIN
      IF told ~ '{_NUMBER}' OR lower(btrim(told)) ~ '^([+-]?inf(inity)?|nan)$' THEN
        RETURN replace(told, '+', '')::double precision;
      END IF;
      RETURN NULL;
    EXCEPTION WHEN numeric_value_out_of_range THEN
      RETURN CASE WHEN abs(told::numeric) < 1 THEN 0::double precision
        WHEN told::numeric > 0 THEN 'Infinity' ELSE '-Infinity' END;
    END $$
    """,
    f"""
    CREATE FUNCTION pg_temp.retinue_numeric(told text) RETURNS numeric
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    BEGIN
      IF told ~ '{_NUMBER}' THEN RETURN told::numeric; END IF;
      RETURN NULL;
    EXCEPTION WHEN numeric_value_out_of_range THEN RETURN NULL;
    END $$
    """,
    # Halves away from zero; PostgreSQL rounds doubles to the even neighbour.
    """
    CREATE FUNCTION pg_temp.retinue_round(told double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN abs(told - trunc(told)) >= 0.5 THEN trunc(told) + sign(told) ELSE trunc(told) + 0 END
    $$
    """,
    # A number in so many digits; null where it needs more.
    """
    CREATE FUNCTION pg_temp.retinue_fit(told numeric, digits int, scale int) RETURNS numeric
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN told <> 'NaN' AND abs(round(told, scale)) < power(10::numeric, digits - scale)
        THEN round(told, scale) END
    $$
    """,
    # By way of whole numbers: PostgreSQL keeps only 15 digits of a double that becomes a numeric.
    """
    CREATE FUNCTION pg_temp.retinue_fit(told double precision, digits int, scale int) RETURNS numeric
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN abs(told) < 10::double precision ^ (LEAST(digits, 18) - scale)
        THEN pg_temp.retinue_fit(
          pg_temp.retinue_round(told * 10::double precision ^ scale)::bigint / 10::numeric ^ scale,
          digits, scale)
        WHEN told <> 'NaN' AND abs(told) < 'Infinity' THEN pg_temp.retinue_fit(told::numeric, digits, scale)
      END
    $$
    """,
    """
    CREATE FUNCTION pg_temp.retinue_text(told double precision) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN abs(told) < 1e16 AND told = trunc(told) THEN told::bigint::text || '.0'
        WHEN told = 'NaN' THEN 'nan' WHEN told = 'Infinity' THEN 'inf' WHEN told = '-Infinity' THEN '-inf'
        ELSE told::text END
    $$
    """,
    """
    CREATE FUNCTION pg_temp.retinue_day(y int, m int, d int) RETURNS date
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN y > 0 AND m BETWEEN 1 AND 12 AND d BETWEEN 1 AND CASE
          WHEN m IN (4, 6, 9, 11) THEN 30 WHEN m <> 2 THEN 31
          WHEN y % 4 = 0 AND (y % 100 <> 0 OR y % 400 = 0) THEN 29 ELSE 28 END
        THEN make_date(y, m, d) END
    $$
    """,
    f"""
    CREATE FUNCTION pg_temp.retinue_date(told text) RETURNS date
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    DECLARE p text[] := regexp_match(told, '^\\s*{_DAY}\\s*$');
    BEGIN
      RETURN pg_temp.retinue_day(p[1]::int, p[2]::int, p[3]::int);
    END $$
    """,
    # The wall clock of a time, whatever zone may be written behind it.
    f"""
    CREATE FUNCTION pg_temp.retinue_wall(told text) RETURNS timestamp
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    DECLARE
      p text[] := regexp_match(told, '^\\s*{_DAY}(?:[T ]{_TIME})?\\s*{_ZONE}?\\s*$');
    BEGIN
      IF p IS NULL OR p[4]::int > 24 OR p[5]::int > 59 OR p[6]::int > 59 THEN RETURN NULL; END IF;
      -- Midnight may be written as the end of a day.
      IF p[4]::int = 24 AND concat(p[5], p[6], p[7]) ~ '[1-9]' THEN RETURN NULL; END IF;
      RETURN pg_temp.retinue_day(p[1]::int, p[2]::int, p[3]::int)
        + make_interval(hours => coalesce(p[4]::int, 0), mins => coalesce(p[5]::int, 0),
                        secs => coalesce(p[6]::int, 0))
        + coalesce(left(rpad(p[7], 6, '0'), 6)::int, 0) * interval '1 microsecond';
    END $$
    """,
    """
    CREATE FUNCTION pg_temp.retinue_offset(zone text) RETURNS interval
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN zone ~ '^[+-]' THEN (left(zone, 1) || '1')::int * make_interval(
          hours => substr(zone, 2, 2)::int,
          mins => coalesce(nullif(right(zone, -3), ''), '0')::text::int) ELSE interval '0' END
    $$
    """,
    f"""
    CREATE FUNCTION pg_temp.retinue_timestamp(told text) RETURNS timestamp
    LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN told !~ '[0-9]\\s*{_ZONE}\\s*$' OR told ~ '^\\s*{_DAY}\\s*$'
        THEN pg_temp.retinue_wall(told) END
    $$
    """,
    f"""
    CREATE FUNCTION pg_temp.retinue_instant(told text) RETURNS timestamptz
    LANGUAGE sql STABLE AS $$
      SELECT CASE WHEN told ~ ':\\d{{2}}(\\.\\d+)?\\s*{_ZONE}\\s*$' THEN
        (pg_temp.retinue_wall(told)
          - pg_temp.retinue_offset(replace((regexp_match(told, '{_ZONE}\\s*$'))[1], ':', '')))
          AT TIME ZONE 'UTC'
        ELSE pg_temp.retinue_wall(told)::timestamptz END
    $$
    """,
    # `marks` has one letter for each group of `pattern`, those of strptime.
    """
    CREATE FUNCTION pg_temp.retinue_strptime(told text, pattern text, marks text) RETURNS timestamp
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    DECLARE
      p text[] := regexp_match(told, pattern, 'i');
      y int := 1900; mo int := 1; d int := 1; h int := 0; mi int := 0; s int := 0; us int := 0; nth int;
      half text; away interval := interval '0'; day date;
      months text := 'janfebmaraprmayjunjulaugsepoctnovdec';
    BEGIN
      IF p IS NULL THEN RETURN NULL; END IF;
      FOR n IN 1 .. length(marks) LOOP
        CASE substr(marks, n, 1)
          WHEN 'Y' THEN y := p[n]::int;
          WHEN 'y' THEN y := p[n]::int + CASE WHEN p[n]::int < 69 THEN 2000 ELSE 1900 END;
          WHEN 'm' THEN mo := p[n]::int;
          WHEN 'b' THEN mo := (strpos(months, lower(left(p[n], 3))) + 2) / 3;
          WHEN 'd' THEN d := p[n]::int;
          WHEN 'j' THEN nth := p[n]::int;
          WHEN 'H' THEN h := p[n]::int;
          WHEN 'I' THEN h := p[n]::int;
            IF h NOT BETWEEN 1 AND 12 THEN RETURN NULL; END IF;
          WHEN 'p' THEN half := lower(p[n]);
          WHEN 'M' THEN mi := p[n]::int;
          WHEN 'S' THEN s := p[n]::int;
          WHEN 'f' THEN us := left(rpad(p[n], 6, '0'), 6)::int;
          WHEN 'z' THEN away := pg_temp.retinue_offset(replace(p[n], ':', ''));
          ELSE NULL;
        END CASE;
      END LOOP;
      IF half IS NOT NULL THEN h := h % 12 + CASE half WHEN 'pm' THEN 12 ELSE 0 END; END IF;
      IF h > 23 OR mi > 59 OR s > 59 THEN RETURN NULL; END IF;
      day := pg_temp.retinue_day(y, mo, d);
      IF nth IS NOT NULL THEN day := pg_temp.retinue_day(y, 1, 1) + nth - 1; END IF;
      RETURN day + make_interval(hours => h, mins => mi, secs => s) + us * interval '1 microsecond' - away;
    END $$
    """,
)

_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"


def _short(names: str) -> str:
    return "|".join(name[:3] for name in names.split("|"))


#: Marks of strptime: what they match, and the letter under which the function takes them.
_MARKS = {
    "Y": (r"(\d{1,4})", "Y"),
    "y": (r"(\d{2})", "y"),
    "m": (r"(\d{1,2})", "m"),
    "b": (f"({_short(_MONTHS)})", "b"),
    "B": (f"({_MONTHS})", "b"),
    "d": (r"(\d{1,2})", "d"),
    "j": (r"(\d{1,3})", "j"),
    "H": (r"(\d{1,2})", "H"),
    "I": (r"(\d{1,2})", "I"),
    "p": ("(am|pm)", "p"),
    "M": (r"(\d{1,2})", "M"),
    "S": (r"(\d{1,2})", "S"),
    "f": (r"(\d{1,9})", "f"),
    "z": (r"([+-]\d{2}(?::?\d{2})?|Z)", "z"),
    "a": (f"(?:{_short(_DAYS)})", ""),
    "A": (f"(?:{_DAYS})", ""),
    "%": ("%", ""),
}


def strptime(pattern: str) -> tuple[str, str]:
    """A pattern of strptime as a regular expression, and the marks of its groups.

    Raises RunError for marks that have no counterpart here.
    """
    spelled = pattern.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d").replace("%-", "%")
    regex, marks = "^", ""
    for literal, mark in re.findall(r"([^%]+)|%(.)", spelled):
        if literal:
            regex += re.escape(literal)
        elif mark in _MARKS:
            part, letter = _MARKS[mark]
            regex, marks = regex + part, marks + letter
        else:
            raise RunError(
                f"the engine cannot read times with %{mark} in their `format`",
                hint="read them in a view of the database, and name a column of times",
            )
    return regex + "$", marks


@ibis.udf.scalar.builtin(name="retinue_c", signature=((dt.string,), dt.string))
def _bytewise(text: Any) -> Any: ...


def bytewise(text: ir.Value) -> ir.Value:
    """Text that is ordered by its characters' numbers, as everywhere else, not by a language."""
    return _bytewise(text)


class Compiler(PostgresCompiler):
    """PostgreSQL's compiler, where what Ibis makes of an expression would differ from DuckDB."""

    __slots__ = ()

    def visit_ScalarUDF(self, op: Any, **told: Any) -> Any:
        name = op.__func_name__
        if name == "retinue_c":
            return sge.Collate(this=next(iter(told.values())), expression=sge.to_identifier("C", quoted=True))
        if name == "try_strptime":
            text, _ = told.values()
            regex, marks = strptime(op.args[1].value)
            parsed = self._ours("strptime", text, sge.convert(regex), sge.convert(marks))
            return self.f.timezone("UTC", parsed) if op.dtype.timezone else parsed
        if name == "to_json" and isinstance(op.args[0], ops.StructColumn):
            return next(iter(told.values()))
        return super().visit_ScalarUDF(op, **told)

    def _ours(self, name: str, *arguments: Any) -> Any:
        return sge.Anonymous(this=f"pg_temp.retinue_{name}", expressions=list(arguments))

    def visit_StructColumn(self, op: Any, *, names: Any, values: Any) -> Any:
        """A row as the text of one JSON object: the only use of structs."""
        text: Any = sge.convert("{")
        for number, (name, value) in enumerate(zip(op.names, values, strict=True)):
            spelled = self.f.anon.to_json(self.cast(sge.convert(name), dt.string))
            shown = self.f.coalesce(self.cast(self.f.anon.to_json(value), dt.string), sge.convert("null"))
            for part in ("," if number else "", self.cast(spelled, dt.string), ":", shown):
                text = sge.DPipe(this=text, expression=sge.convert(part) if isinstance(part, str) else part)
        return sge.paren(sge.DPipe(this=text, expression=sge.convert("}")))

    def visit_Hash(self, op: Any, *, arg: Any) -> Any:
        text = arg if op.arg.dtype.is_string() or op.arg.dtype.is_struct() else self.cast(arg, dt.string)
        return self.f.anon.hashtextextended(text, sge.convert(0))

    def visit_StringSplit(self, op: Any, *, arg: Any, delimiter: Any) -> Any:
        # Nothing, split, is one empty part; here it would be none.
        parts = self.f.string_to_array(arg, delimiter)
        return self.if_(arg.eq(sge.convert("")), self.f.array(sge.convert("")), parts)

    def visit_RegexSearch(self, op: Any, *, arg: Any, pattern: Any) -> Any:
        return sge.RegexpLike(this=arg, expression=pattern)

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:
        of = op.arg.dtype
        if of.is_floating() and to.is_string():
            return self._ours("text", arg)
        if of.is_boolean() and to.is_numeric():
            return self.cast(self.cast(arg, dt.int32), to)
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        of = op.arg.dtype
        if to.is_decimal() and of.is_numeric():
            return self._decimal(op.arg.dtype, arg, to)
        if not of.is_string():
            return self.visit_Cast(op, arg=arg, to=to)
        if to.is_decimal():
            return self.cast(self._fit(self._ours("numeric", arg), to), to)
        if to.is_floating():
            return self._ours("double", arg)
        if to.is_date():
            return self._ours("date", arg)
        if to.is_timestamp():
            return self._ours("instant" if to.timezone else "timestamp", arg)
        raise NotImplementedError(f"text as {to} on PostgreSQL")

    def _decimal(self, of: Any, number: Any, to: Any) -> Any:
        digits = (of.precision or 99) - (of.scale or 0) if of.is_decimal() else 99
        if digits <= (to.precision or 18) - (to.scale or 0):
            # It always fits, so it need not be looked at; only NaN is no number.
            return self.cast(self.f.nullif(number, sge.convert("NaN")), to)
        if of.is_integer():
            number = self.cast(number, dt.decimal)
        if of.is_float32():
            number = self.cast(number, dt.float64)
        return self.cast(self._fit(number, to), to)

    def _fit(self, number: Any, to: Any) -> Any:
        return self._ours("fit", number, sge.convert(to.precision or 18), sge.convert(to.scale or 0))

    def visit_Round(self, op: Any, *, arg: Any, digits: Any) -> Any:
        if op.arg.dtype.is_floating() and digits is None:
            return self.cast(self._ours("round", arg), op.dtype)
        if op.arg.dtype.is_floating():
            scale = sge.Pow(this=self.cast(sge.convert(10), dt.float64), expression=digits)
            return self._ours("round", arg * sge.paren(scale)) / sge.paren(scale)
        return super().visit_Round(op, arg=arg, digits=digits)

    def visit_Divide(self, op: Any, *, left: Any, right: Any) -> Any:
        # Of whole numbers PostgreSQL would give a whole number.
        double = (
            self.cast(sge.paren(left), dt.float64) if not op.left.dtype.is_floating() else sge.paren(left)
        )
        return sge.Div(this=double, expression=sge.paren(right), typed=True)

    def visit_DateDelta(self, op: Any, *, part: Any, left: Any, right: Any) -> Any:
        # The difference of two days is their number, here.
        return self.cast(sge.paren(sge.Sub(this=left, expression=right)), op.dtype)

    def visit_DateAdd(self, op: Any, *, left: Any, right: Any) -> Any:
        return self.cast(sge.paren(sge.Add(this=left, expression=right)), dt.date)

    def visit_DateSub(self, op: Any, *, left: Any, right: Any) -> Any:
        return self.cast(sge.paren(sge.Sub(this=left, expression=right)), dt.date)


compiler = Compiler()
