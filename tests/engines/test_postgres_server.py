"""The server that tests use."""

from __future__ import annotations

import psycopg


def test_each_test_has_an_empty_database_in_utf8(postgres: str) -> None:
    with psycopg.connect(postgres) as con:
        tables = con.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert tables.fetchone() == (0,)
        assert con.execute("SHOW server_encoding").fetchone() == ("UTF8",)
        con.execute("CREATE TABLE facts (x int)")


def test_what_a_test_leaves_is_gone_for_the_next(postgres: str) -> None:
    with psycopg.connect(postgres) as con:
        assert con.execute("SELECT to_regclass('facts')").fetchone() == (None,)
