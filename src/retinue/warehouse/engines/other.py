"""Any other engine that Ibis knows, by its URL: the same path, and no promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ibis

from retinue.errors import RunError
from retinue.project.project import Project
from retinue.warehouse.engine import Engine, no_driver, shown
from retinue.warehouse.engines import duckdb
from retinue.warehouse.trace import Trace

_EXTRAS = {"bigquery": "bigquery", "snowflake": "snowflake", "clickhouse": "clickhouse"}


@contextmanager
def opened(project: Project, threads: int | None, trace: Trace) -> Iterator[Engine]:
    url = project.settings.engine
    scheme = url.partition("://")[0]
    with duckdb.opened(project, threads, trace) as files:
        try:
            con = ibis.connect(url)
        except ImportError as error:
            raise no_driver(project, _EXTRAS.get(scheme, scheme), error) from None
        except Exception as error:  # noqa: BLE001
            # Drivers raise what they like, and may repeat the URL.
            told = str(error).replace(url, shown(url)).strip().partition("\n")[0]
            raise RunError(
                f"cannot connect to the engine {shown(url)}: {told}",
                place=project.place("settings", "engine"),
                hint="check `engine`, and whether Ibis knows such a URL",
            ) from None
        engine = Engine(con, files, trace=trace)
        try:
            yield engine
        finally:
            engine.close()
