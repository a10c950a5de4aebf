"""The words of a proposed project: its settings and its page, with how sure each guess is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from retinue.templates import guess
from retinue.templates.guess import Fact, Found, Guess


def settings_text(
    directory: Path,
    template: str,
    found: Found,
    stages: Sequence[str],
    files: Mapping[str, str],
    alerts: str | None,
) -> str:
    """The settings over the tables; `alerts` is the part about them, if there is one."""
    project = re.search(r"^project: .*$", template, flags=re.MULTILINE)
    sure = {guess.what: guess for guess in found.guesses}
    lines = [
        "# Proposed from your tables. What was guessed says how sure it is: look at those first.",
        "#",
        "#     retinue check        everything that does not fit, with its place",
        "#     retinue run          score up to the last complete day",
        "",
        project[0] if project else "project: mine",
        "timezone: UTC                   # decides where a day ends: name that of your company",
        "",
        "accounts:",
        *_account_lines(found, directory, sure),
    ]
    if found.attributes:
        lines.append("  columns:")
        for name, column in found.attributes.items():
            lines.append(f"    {name}: {_text(column)}{_note(sure.get(f'accounts: {name}'))}")
    if not found.tenure:
        lines.append("    # started_on: ...          # no column looks like the first day of an account")
    if found.facts:
        lines += ["", "facts:"]
    for fact in found.facts:
        lines += _fact_lines(fact, directory, sure)
    told = _stage_lines(template, stages)
    lines += ["", *told] if told else []
    names = [
        re.search(r"^scorecard: (\S+)", text, flags=re.MULTILINE)
        for n, text in sorted(files.items())
        if n.startswith("scorecards/")
    ]
    found_names = [match[1] for match in names if match]
    if len(found_names) > 1:
        ordered = sorted(found_names, key=lambda name: name == "health")
        lines += ["", f"scorecards: [{', '.join(ordered)}]"]
    lines += ["", "grades: {A: 85, B: 70, C: 55, D: 40, E: 0}"]
    lines += ["", alerts.rstrip()] if alerts else []
    return "\n".join(lines) + "\n"


def _account_lines(found: Found, directory: Path, sure: Mapping[str, Guess]) -> list[str]:
    if found.accounts is None or found.key is None:
        (fact,) = (fact for fact in found.facts if fact.table is found.derived)
        return [f"  fact: {fact.name}{_note(sure.get('accounts: fact'))}"]
    return [
        f"  table: {_path(found.accounts.path, directory)}",
        f"  key: {_text(found.key.name)}{_note(sure.get('accounts: key'))}",
    ]


def _fact_lines(fact: Fact, directory: Path, sure: Mapping[str, Guess]) -> list[str]:
    # Guesses about a table were made under its own name, those about columns under the template's.
    def told(role: str) -> str:
        return _note(sure.get(f"facts: {fact.table.name}: {role}") or sure.get(f"facts: {fact.name}: {role}"))

    lines = [f"  {fact.name}:{_note(sure.get(f'facts: {fact.name}'))}"]
    if fact.outcome:
        lines[0] = f"  {fact.name}:    # an outcome: a score must not rest on it"
    lines.append(f"    table: {_path(fact.table.path, directory)}")
    lines.append(f"    account: {_text(fact.roles['account'])}{told('account')}")
    if fact.via is not None:
        via = fact.via
        told_via = f"key: {_text(via.key)}, account: {_text(via.account)}"
        lines.append(f"    via: {{table: {_path(via.bridge.path, directory)}, {told_via}}}{told('via')}")
    lines += [
        f"    {role}: {_clock(fact, role)}{told(role)}"
        for role in ("occurred_at", "known_at", "ends_at", "user", "value")
        if role in fact.roles
    ]
    if "known_at" not in fact.roles:
        lines.append(
            "    # known_at: ...            # the column with the day of a row's first load, if there is one"
        )
    if fact.columns:
        lines.append("    columns:")
        lines += [f"      {name}: {_text(column)}{told(name)}" for name, column in fact.columns.items()]
    if fact.unique:
        lines.append(f"    unique: [{_text(fact.unique)}]{told('unique')}")
    return lines


def _clock(fact: Fact, role: str) -> str:
    """A column; what is open because it is due begins on the day after that."""
    column = _text(fact.roles[role])
    due = set(guess.words(fact.roles[role])) & {"due", "promised"}
    if role == "occurred_at" and due and "ends_at" in fact.roles:
        return f"{{column: {column}, plus: 1d}}"
    return column


def _stage_lines(template: str, stages: Sequence[str]) -> list[str]:
    """The lines of the template's stages that can be told."""
    lines = re.findall(r"^  - \{stage: .*$", template, flags=re.MULTILINE)
    kept = [line for line in lines if re.match(r"  - \{stage: (\w+)", line)[1] in stages]  # type: ignore[index]
    return ["stages:", *kept] if kept else []


def _path(path: Path, directory: Path) -> str:
    """The table as it is written: relative where it stands beside the project."""
    whole, home = path.resolve(), directory.resolve()
    beside = whole.is_relative_to(home.parent)
    shown = Path(os.path.relpath(whole, home)) if beside else whole
    return _quoted(f"${{DATA_FOLDER:-{shown.parent.as_posix()}}}/{shown.name}")


def _text(value: str) -> str:
    return value if re.fullmatch(r"[A-Za-z_]\w*", value) and not _special(value) else _quoted(value)


def _special(value: str) -> bool:
    return value.lower() in {"true", "false", "null", "yes", "no", "on", "off", "nan"}


def _quoted(value: str) -> str:
    return str(json.dumps(value, ensure_ascii=False))


def _note(guess: Guess | None) -> str:
    return f"    # {guess.sure}: {guess.why}" if guess else ""


def readme(template: str, found: Found, reasons: Sequence[str]) -> str:
    """What was concluded from which table, and what was left out of the template."""
    lines = [
        "# A health score over your tables",
        "",
        f"Proposed from the template {template}. What was concluded from the tables, and how sure it is:",
        "",
        "| what | table | column | sure | why |",
        "|---|---|---|---|---|",
        *(f"| {g.what} | {g.table} | {g.column or ''} | {g.sure} | {g.why} |" for g in found.guesses),
        "",
        "Left out of the template:",
        "",
        *(f"- {reason}" for reason in reasons),
    ]
    last = guess.last_day(found)
    if last:
        lines += ["", f"The last row is of {last}: `retinue run --to {last}` scores that day."]
    return "\n".join(lines) + "\n"
