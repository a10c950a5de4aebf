"""The list of accounts as a table, and the totals below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retinue.cli.render import COLOURS, Column, Page, Table, band, money, moved, sparkline, styled
from retinue.store.published.current import CurrentRow, Group
from retinue.words import SHAPES, WORDS, grade, share, shown


def account_table(
    page: Page, rows: Sequence[CurrentRow], grades: Mapping[str, float], days: int, currency: str | None
) -> Table:
    """One line per account; what no account has, and on a narrow terminal what matters least, is left out."""
    named = any(row.name for row in rows)
    paying = any(row.arr is not None for row in rows)
    renewing = any(row.renews_on for row in rows)
    owned = any(row.owner for row in rows)
    columns = [
        Column("account", least=8),
        *([Column("name", least=14)] if named else []),
        Column("score", right=True),
        *([Column("grade", rank=2)] if grades else []),
        Column("band"),
        Column(f"{days} d", right=True),
        *([Column("13 weeks", rank=3)] if page.unicode else []),
        Column("reason", least=28),
        *([Column(f"ARR {currency}" if currency else "ARR", right=True, rank=1)] if paying else []),
        *([Column("renewal", rank=4)] if renewing else []),
        Column("coverage", right=True, rank=5),
        *([Column("owner", least=12, rank=6)] if owned else []),
    ]
    table = Table(columns)
    for row in rows:
        delta = {7: row.delta_7, 28: row.delta_28, 90: row.delta_90}[days]
        table.add(
            row.account_id,
            *([row.name or "-"] if named else []),
            styled(shown(row.effective), "bold"),
            *([grade(row.effective, grades) or "-"] if grades else []),
            band(row.band),
            moved(delta),
            *([styled(sparkline(row.sparkline), COLOURS.get(row.band, ""))] if page.unicode else []),
            row.reason or "-",
            *([money(row.arr)] if paying else []),
            *([row.renews_on.isoformat() if row.renews_on else "-"] if renewing else []),
            share(row.coverage),
            *([row.owner or "-"] if owned else []),
        )
    return table


def totals(groups: Sequence[Group]) -> str:
    """How many accounts in each band, and their revenue."""
    by = {group.value: group for group in groups}
    count = sum(group.accounts for group in groups)
    parts = [
        f"{SHAPES[name]} {by[name].accounts:,} {WORDS[name]}"
        + (f" (ARR {money(by[name].arr)})" if by[name].arr else "")
        for name in ("at_risk", "watch", "healthy", None)
        if name in by
    ]
    return f"{count:,} account{'s' if count != 1 else ''}: " + ", ".join(parts)
