"""Writes the pages of docs/reference that come from the code: `python -m docs.generate`.

With `--check` it writes nothing and fails where a page differs from the code.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docs.assistant import mcp_page
from docs.declared import metrics_page, yaml_page
from docs.pages import ROOT
from docs.served import api_page, configuration_page
from retinue import errors
from retinue.glossary import TERMS, Term

_MARK = "<!-- Made from the code by ./scripts/docs: change the code instead of this page. -->\n\n"


def glossary_page() -> str:
    """The nouns, from `retinue.glossary`."""

    def entry(term: Term) -> str:
        others = ", ".join(f"[{word}](#{word.replace(' ', '-').lower()})" for word in term.see_also)
        return f"## {term.word}\n\n{term.meaning}" + (f" See also: {others}." if others else "") + "\n"

    return "\n".join(
        [
            "# Glossary\n",
            "One word for one thing, here and in the code. 0 is the worst health and 100 the best.\n",
            *(entry(term) for term in sorted(TERMS, key=lambda term: term.word.lower())),
        ]
    )


def errors_page() -> str:
    """The tree of exceptions, from `retinue.errors`."""
    found = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.RetinueError)
    ]
    kinds = sorted(found, key=lambda kind: inspect.getsourcelines(kind)[1])
    introduction, *rest = inspect.cleandoc(errors.__doc__ or "").split("\n\n")
    return "\n".join(
        [
            "# Errors\n",
            f"{introduction}\n",
            *("```text\n" + inspect.cleandoc(p) + "\n```\n" if p.startswith(" ") else f"{p}\n" for p in rest),
            *(f"## {kind.__name__}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n" for kind in kinds),
            f"## Problem\n\n{inspect.cleandoc(errors.Problem.__doc__ or '')}\n",
        ]
    )


def tables_page() -> str:
    """The published tables, from `retinue.store.published.contract`."""
    contract: Any = importlib.import_module("retinue.store.published.contract")
    parts = [
        "# Published tables\n",
        "What `retinue export` writes. Names, keys and columns are a contract: later versions may add columns, and\n"
        "none is renamed, retyped or dropped within a major version. Rows are sorted by their key.\n",
    ]
    for table in contract.TABLES.values():
        parts += [
            f"## {table.name}\n",
            table.meaning + "\n",
            "Key: " + ", ".join(f"`{name}`" for name in table.key) + ".\n",
            "| column | type | meaning |",
            "|---|---|---|",
            *(
                f"| `{c.name}` | {c.kind}{'' if c.nullable else ', never empty'} | {_cell(c.meaning)} |"
                for c in table.columns
            ),
        ]
        if table.attributes:
            parts.append(
                "| one per declared attribute | text, number, date or flag | The attribute on that date. |"
            )
        parts.append("")
    kinds = ", ".join(f"{kind} is `{arrow}`" for kind, arrow in contract.ARROW_TYPES.items())
    return "\n".join([*parts, "## Types\n", f"In Parquet and Arrow, {kinds}.", ""])


def cli_page() -> str:
    """The commands, from the click group of `retinue.cli`."""
    import click

    cli: Any = importlib.import_module("retinue.cli")
    group = cli.main
    if not isinstance(group, click.Group):
        group = next(value for value in vars(cli).values() if isinstance(value, click.Group))
    # The width and the colours of help text follow the terminal unless they are given.
    context = click.Context(
        group, info_name="retinue", terminal_width=100, max_content_width=100, color=False
    )
    parts = ["# Command line\n", "Every command that prints for people also prints `--json`.\n"]
    parts.append(f"```text\n{_help(group, context)}\n```\n")
    parts += _commands(group, context)
    return "\n".join(parts)


def _commands(group: Any, context: Any) -> list[str]:
    import click

    parts = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(
            command, info_name=name, parent=context, terminal_width=100, max_content_width=100
        )
        parts.append(f"## {inner.command_path}\n\n```text\n{_help(command, inner)}\n```\n")
        if isinstance(command, click.Group):
            parts += _commands(command, inner)
    return parts


def _help(command: Any, context: Any) -> str:
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _present(module: str) -> bool:
    """Whether a module has been written; a folder without code is a namespace and does not count."""
    found = importlib.util.find_spec(module)
    return found is not None and found.origin is not None


#: Name of a page, what makes it, the module that it needs, and what the index says of it.
PAGES: tuple[tuple[str, Callable[[], str], str, str], ...] = (
    ("cli", cli_page, "retinue.cli", "[Command line](cli.md): every command and option"),
    (
        "yaml",
        yaml_page,
        "retinue.project.project",
        "[YAML keys](yaml.md): everything that `retinue.yaml` and scorecards can say",
    ),
    (
        "metrics",
        metrics_page,
        "retinue.project.metrics",
        "[Kinds of metric](metrics.md): everything that `metrics.yaml` can say",
    ),
    (
        "tables",
        tables_page,
        "retinue.store.published.contract",
        "[Published tables](tables.md): names, keys and columns, which are a contract",
    ),
    ("api", api_page, "retinue.api.app", "[HTTP API](api.md): every route, for programs"),
    (
        "mcp",
        mcp_page,
        "retinue.mcp.tools",
        "[Tools of an assistant](mcp.md): what each is for, is asked and answers",
    ),
    (
        "configuration",
        configuration_page,
        "retinue.project.serving",
        "[Settings of the server](configuration.md): every key and variable",
    ),
    ("errors", errors_page, "retinue.errors", "[Errors](errors.md): what Retinue raises on purpose"),
    ("glossary", glossary_page, "retinue.glossary", "[Glossary](glossary.md): one word for one thing"),
)


def index_page(lines: list[str]) -> str:
    """The list of generated pages."""
    return "\n".join(
        [
            "# Reference\n",
            "These pages are made from the code by `./scripts/docs`, and `./scripts/check` fails where they differ.\n",
            *(f"- {line}" for line in lines),
        ]
    )


def generated() -> dict[Path, str]:
    """Every generated page as it should be."""
    present = [page for page in PAGES if _present(page[2])]
    texts = {name: make() for name, make, _, _ in present}
    texts["index"] = index_page([line for *_, line in present])
    folder = ROOT / "docs" / "reference"
    return {folder / f"{name}.md": _MARK + text.rstrip() + "\n" for name, text in texts.items()}


def main(arguments: list[str]) -> int:
    stale = {
        page: text
        for page, text in generated().items()
        if not page.exists() or page.read_text(encoding="utf-8") != text
    }
    if "--check" in arguments:
        for page in stale:
            print(f"{page.relative_to(ROOT)} differs from the code: run ./scripts/docs")
        return 1 if stale else 0
    for page, text in stale.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
