"""`${NAME}` and `${NAME:-default}` in the text of a project, from the environment.

The default also stands in for a variable that is set but empty, as in a shell. `$${` is a
literal `${`. Nothing is expanded twice, so a value cannot refer to other variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}|\$\{[^}\n]*\}?", re.ASCII
)


class VariableError(ValueError):
    """A reference that cannot be followed; `hint` says what to do."""

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.hint = hint


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its references replaced; raises VariableError for the first that cannot be."""
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            raise VariableError(
                f"not a reference to a variable: {match[0][:60]!r}",
                "write ${NAME} or ${NAME:-default}, and $${ for a literal ${",
            )
        told = environ.get(name)
        if told is None and default is None:
            raise VariableError(
                f"the environment variable {name} is not set",
                f"set {name}, or give a default: ${{{name}:-default}}",
            )
        return default if default is not None and not told else told or ""

    return _REFERENCE.sub(value, text)
