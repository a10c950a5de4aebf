"""What the tables of the store share: their types, in words that SQLite and PostgreSQL have in common.

Times are UTC without a zone. JSON is kept as text: it is read by people and surfaces, not by SQL.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, String, Text

metadata = MetaData()

#: Ordered by bytes everywhere, as SQLite, Arrow and DuckDB do.
Key = Text().with_variant(String(collation="C"), "postgresql")
Serial = Integer().with_variant(BigInteger(), "postgresql")
Number = Integer().with_variant(BigInteger(), "postgresql")
