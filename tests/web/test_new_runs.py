"""People read while another run is published: no page fails, and none has accounts of two runs."""

from __future__ import annotations

import csv
import io
import re
import threading
from datetime import timedelta
from typing import Any

from retinue.store.people.access import OPERATOR
from retinue.store.published.current import accounts, current_run
from tests.run.company import score
from tests.web.company import LAST
from tests.web.house import House
from tests.web.pages import Page

RUNS = 2


def scores(house: House) -> dict[str, str]:
    """What the list says of each account: its score, as the page writes it, and its as-of date."""
    rows = accounts(house.workspace.store, OPERATOR, limit=None)
    return {row.account_id: f"{row.effective} {row.as_of}" for row in rows}


def test_a_page_and_an_export_are_of_one_run(own: House) -> None:
    known: dict[str, dict[str, str]] = {}
    wrong: list[str] = []
    seen: set[str] = set()
    stop = threading.Event()

    def note() -> None:
        run = current_run(own.workspace.store)
        assert run is not None
        known[run.run_id] = scores(own)

    def read(path: str) -> None:
        browser = own.browser("leader")
        while not stop.is_set():
            answer = browser.get(path)
            if answer.status_code != 200:
                wrong.append(f"{path} answered {answer.status_code}: {answer.text[:300]}")
                return
            found.append((path, answer))
            stop.wait(0.25)  # a run is made on the same machine

    found: list[tuple[str, Any]] = []
    note()
    paths = ("/?scope=all&sort=name", "/book.csv?scope=all", "/accounts/zq00-id")
    readers = [threading.Thread(target=read, args=(path,)) for path in paths]
    for reader in readers:
        reader.start()
    try:
        for n in range(1, RUNS + 1):
            score(own.workspace.project.root, LAST + timedelta(days=n))
            note()
    finally:
        stop.set()
        for reader in readers:
            reader.join(60)
    assert not wrong
    days = {ident: next(iter(told.values())).split()[1] for ident, told in known.items()}
    assert len(set(days.values())) == RUNS + 1
    for path, answer in found:
        if path.startswith("/book.csv"):
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            told = {row["account_id"]: f"{row['effective'] or None} {row['as_of']}" for row in rows}
            assert told in known.values()
            seen.add(rows[0]["as_of"])
        elif path.startswith("/?"):
            page = Page(answer.text)
            run = next(one.get("content") for one in page.all("meta") if one.get("name") == "run")
            assert f"run {run}" in answer.text
            cells = re.findall(
                r'/accounts/(zq\d\d-id)">.*?<span class="big-score">([^<]*)<', answer.text, re.DOTALL
            )
            assert len(cells) == 48
            for account, shown in cells:
                value = known[run][account].split()[0]
                assert shown == ("\u2013" if value == "None" else shown_score(value)), (run, account)
            seen.add(days[run])
    assert len(seen) >= 2, "nobody read while a run was published"


def shown_score(value: str) -> str:
    from retinue.words import shown

    return shown(float(value))
