"""Bridges: the first scored date of a new formula or reference, scored the old way as well.

The difference of the two is what the change of configuration did, so that a change of score
can be told apart from a change of behaviour (DESIGN section 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from retinue.project.project import Formula
from retinue.warehouse.engine import Engine
from retinue.warehouse.scores.score import Scored

#: The formula of a snapshot that can no longer be told.
UNKNOWN = -1


@dataclass(frozen=True)
class Bridged:
    """Rows that need a bridge.

    `links`: ix, pos, old_formula (UNKNOWN where it is not to be had), old_fingerprint,
    old_reference, since (date of the scored snapshot before). `rows` are the described rows
    with the old formula and reference in place of the new; `scored` their scores.
    """

    links: ir.Table
    rows: ir.Table
    scored: Scored | None = None

    def scored_as(self, scored: Scored) -> Bridged:
        return replace(self, scored=scored)


def find(
    engine: Engine,
    rows: ir.Table,
    scored: Scored,
    last: pa.Table | None,
    formulas: Sequence[Formula],
    accounts: ir.Table,
) -> Bridged | None:
    """The rows whose formula or reference is not that of the scored snapshot before them."""
    told = scored.scores.filter(_.status == "scored").select("ix", "pos", "as_of", "formula", "reference")
    order = ibis.window(group_by="ix", order_by="pos")
    before = told.mutate(
        old_formula=_.formula.lag().over(order),
        old_reference=_.reference.lag().over(order),
        since=_.as_of.lag().over(order),
    )
    fingerprints = engine.memory(
        pa.table(
            {
                "formula": pa.array(range(len(formulas)), pa.int32()),
                "fingerprint": pa.array([f.fingerprint for f in formulas], pa.string()),
            }
        )
    )
    if last is not None and last.num_rows:
        earlier = engine.memory(last.select(["account_id", "fingerprint", "reference", "as_of"]))
        earlier = earlier.join(accounts.select("ix", "account_id"), "account_id")
        earlier = earlier.left_join(fingerprints, "fingerprint").select(
            "ix",
            last_formula=ibis.coalesce(_.formula, UNKNOWN).cast("int32"),
            last_fingerprint=earlier.fingerprint,
            last_reference=_.reference,
            last_as_of=_.as_of,
        )
        before = before.left_join(earlier, "ix").drop("ix_right")
        first = before.since.isnull()
        before = before.mutate(
            old_formula=ibis.ifelse(first, before.last_formula, before.old_formula),
            old_reference=ibis.ifelse(first, before.last_reference, before.old_reference),
            since=ibis.ifelse(first, before.last_as_of, before.since),
        )
    else:
        before = before.mutate(last_fingerprint=ibis.null("string"))
    changed = before.filter(
        before.old_formula.notnull()
        & ((before.old_formula != before.formula) | ~before.reference.identical_to(before.old_reference))
    )
    named = changed.left_join(fingerprints.rename(old_formula="formula"), "old_formula")
    links = engine.store(
        "links",
        named.select(
            "ix",
            "pos",
            "old_formula",
            "old_reference",
            "since",
            old_fingerprint=ibis.coalesce(named.fingerprint, named.last_fingerprint),
        ),
    )
    if not engine.count(links):
        return None
    again = (
        rows.drop("formula", "reference")
        .join(
            links.select("ix", "pos", formula=links.old_formula, reference=links.old_reference), ["ix", "pos"]
        )
        .filter(_.formula != UNKNOWN)
    )
    return Bridged(links, again)
