"""What all declarations share: they are frozen and forbid unknown keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from retinue.period import Period
from retinue.project import conditions


class Declaration(BaseModel):
    """Base of everything that is said in YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _condition(value: Any) -> Any:
    if isinstance(value, str):
        return conditions.parse(value)
    if isinstance(value, dict) and value:
        return conditions.where_mapping(value)
    if isinstance(value, CONDITION_TYPES):
        return value
    raise ValueError("write a condition such as `plan = pro and seats > 5`")


CONDITION_TYPES = (
    conditions.Comparison,
    conditions.Membership,
    conditions.Missing,
    conditions.Every,
    conditions.Some,
    conditions.Not,
)

# Serialised in one canonical form, so that two ways to write a condition share a fingerprint.
When = Annotated[
    Any,
    BeforeValidator(_condition),
    PlainSerializer(conditions.show, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["overdue_amount > 0"]}),
]
Where = Annotated[
    Any,
    BeforeValidator(_condition),
    PlainSerializer(conditions.show, return_type=str),
    WithJsonSchema({"type": ["string", "object"], "examples": [{"event": ["login", "edit"]}]}),
]
Span = Annotated[
    Period,
    BeforeValidator(Period.parse),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+[dw]$", "examples": ["28d", "8w"]}),
]
