"""Rules about databases: of which kind they are, and where their passwords stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from retinue import postgres
from retinue.project.rules import View
from retinue.project.sources import AttributeHistory

Path = tuple[str | int, ...]


def databases(view: View) -> None:
    """Tables come from files of DuckDB and SQLite, and from PostgreSQL."""
    for path, url in _declared(view):
        if "://" in url and not postgres.is_postgres(url):
            view.error(
                path,
                f"no tables can be read from a database of the kind {url.partition('://')[0][:30]!r}",
                "write a DuckDB or SQLite file, or postgresql://...; or let `engine` be the database",
            )


def passwords(view: View) -> None:
    """The text of a project is kept with every run, so a password does not belong there."""
    settings = view.project.settings
    others = (("engine", settings.engine), ("store", settings.store))
    urls = [*_declared(view), *((("settings", key), url) for key, url in others if url and view.reads(key))]
    for path, url in urls:
        hidden = [secret for secret in postgres.secrets(url) if secret != url] if "://" in url else []
        place = view.project.place(*path)
        text = view.project.texts.get(place.file, "") if place else ""
        if any(f":{secret}@" in text or f"={secret}" in text for secret in hidden):
            view.warning(
                path,
                "a password stands in the file, and is kept with every run",
                "take the URL from the environment: ${DATABASE_URL}",
            )


def _declared(view: View) -> Iterator[tuple[Path, str]]:
    """Every `database` of a table, with its place."""
    settings = view.project.settings
    accounts = settings.accounts
    told: list[tuple[Path, str | None]] = [(("accounts",), accounts.database)]
    told += [
        (("accounts", "history", name), history.database)
        for name, history in accounts.history.items()
        if isinstance(history, AttributeHistory)
    ]
    told += [(("people",), settings.people.database)] if settings.people else []
    told += [(("rates",), settings.rates.database)] if settings.rates else []
    for name, source in settings.facts.items():
        told.append((("facts", name), source.database))
        if source.via is not None:
            told.append((("facts", name, "via"), source.via.database))
    for path, database in told:
        if database is not None and view.reads(str(path[0])):
            yield ("settings", *path, "database"), database


RULES: list[Callable[[View], None]] = [databases, passwords]
