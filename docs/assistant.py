"""The reference page of the tools of an assistant."""

from __future__ import annotations

from typing import Any

from docs.served import _cell, _value


def mcp_page() -> str:
    """Every tool with what it is asked and what it answers."""
    from retinue.mcp.telling import ROOM, TEXT
    from retinue.mcp.tools import INSTRUCTIONS, TOOLS

    parts = [
        "# Tools of an assistant\n",
        "What `retinue mcp` offers over the Model Context Protocol.\n"
        "[How to use it](../howto/use-with-an-assistant.md) has the rest.\n",
        f"An answer has at most {TEXT:,} letters of text, and {ROOM:,} of structured content; `left_out` says\n"
        "what is missing and how to get it. `run_id` and `as_of` say where it comes from.\n",
    ]
    for tool in TOOLS:
        need = " It writes: it is there with `--allow-writes` only." if tool.writes else ""
        parts += [f"## {tool.name}\n", f"{tool.description}{need}\n"]
        asked = tool.asks.model_json_schema()
        if asked.get("properties"):
            parts += ["| it is asked | value | meaning |", "|---|---|---|", *_rows(asked), ""]
        told = tool.gives.model_json_schema(mode="serialization")
        names = ", ".join(f"`{name}`" for name in told["properties"])
        parts.append(f"It answers {names}.\n")
    said = "\n>\n".join(f"> {paragraph}" for paragraph in INSTRUCTIONS.strip().split("\n\n"))
    return "\n".join([*parts, "## What every assistant is told\n", said, ""])


def _rows(asked: dict[str, Any]) -> list[str]:
    required = asked.get("required", [])
    rows = []
    for name, schema in asked["properties"].items():
        items = schema.get("items", {}).get("$ref", "").rsplit("/", 1)[-1]
        value = f"list of {_fields(asked['$defs'][items])}" if items else _value(schema)
        need = ", required" if name in required else ""
        rows.append(f"| `{name}` | {_cell(value)}{need} | {_cell(schema.get('description', ''))} |")
    return rows


def _fields(schema: dict[str, Any]) -> str:
    return "`{" + ", ".join(schema["properties"]) + "}`"
