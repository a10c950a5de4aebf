"""Reference pages of the server: its settings, and its API."""

from __future__ import annotations

import json
from typing import Any

from retinue.project.serving import Oidc, Serve, variables


def configuration_page() -> str:
    """Every setting of the server with its variable."""
    rows = []
    for variable, key in variables():
        *above, name = key.split(".")
        field = (Oidc if above else Serve).model_fields[name]
        value = None if field.is_required() else field.get_default()
        default = (
            "required" if field.is_required() else "" if value in (None, ()) else f"`{json.dumps(value)}`"
        )
        rows.append(f"| `{key}` | `{variable}` | {default} | {_cell(field.description or '')} |")
    return "\n".join(
        [
            "# Settings of the server\n",
            "They stand under `serve` in `retinue.yaml`. A variable of the environment holds over that, and an option of\n"
            "`retinue serve` over both. Lists are written with commas in a variable. A variable with `_FILE` at its end names a\n"
            "file that holds the value. A key or a variable that means nothing is an error.\n",
            "The secret of a provider never stands in the project: `client_secret: {env: NAME}` or `{file: PATH}`.\n",
            "| key | variable | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def api_page() -> str:
    """Every route of the API."""
    from retinue.api.app import application
    from retinue.api.calls import Api

    # Nothing is asked of the workspace to describe the routes.
    told: dict[str, Any] = application(Api(None, None, None)).openapi()  # type: ignore[arg-type]
    parts = [
        "# HTTP API\n",
        str(told["info"]["description"]),
        "The whole document, with every field, is at `/api/v1/openapi.json`. [How to use it](../howto/use-the-api.md) has\n"
        "examples.\n",
    ]
    for tag in told["tags"]:
        parts += [f"## {tag['name'].capitalize()}\n", tag["description"] + "\n"]
        for path, ways in told["paths"].items():
            for method, operation in ways.items():
                if operation["tags"] == [tag["name"]]:
                    parts += _operation(path, method, operation, told)
    parts += [
        "## What goes wrong\n",
        "| status | what |",
        "|---|---|",
        *(f"| {status} | {text} |" for status, text in sorted(_errors(told).items())),
        "",
    ]
    return "\n".join(parts)


def _operation(path: str, method: str, operation: dict[str, Any], told: dict[str, Any]) -> list[str]:
    lines = [f"### {method.upper()} {path}\n", f"{operation['summary']}. {operation['description']}\n"]
    asked = [one for one in operation.get("parameters", []) if one["in"] in ("path", "query")]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    model: dict[str, Any] = {}
    if body:
        model = told["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
    rows = [
        (one["name"], one["in"], one["schema"], one.get("required"), one.get("description")) for one in asked
    ]
    rows += [
        (name, "body", schema, name in model.get("required", []), schema.get("description"))
        for name, schema in model.get("properties", {}).items()
    ]
    if rows:
        lines += ["| name | in | value | meaning |", "|---|---|---|---|"]
        for name, place, schema, required, meaning in rows:
            need = ", required" if required else ""
            lines.append(f"| `{name}` | {place} | {_cell(_value(schema))}{need} | {_cell(meaning or '')} |")
        lines.append("")
    return lines


def _value(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    if "anyOf" in schema:
        return ", or ".join(_value(one) for one in schema["anyOf"] if one.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_value(schema.get('items', {}))}"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    if schema.get("format") == "date":
        return "date"
    return words.get(schema.get("type", ""), "anything")


def _errors(told: dict[str, Any]) -> dict[str, str]:
    return {
        status: answer["description"].lower()
        for ways in told["paths"].values()
        for operation in ways.values()
        for status, answer in operation["responses"].items()
        if status >= "400"
    }


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
