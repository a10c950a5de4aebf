"""What `explain` promises is what the next run gives when the data change accordingly."""

from __future__ import annotations

from datetime import date, timedelta

import pytest


def promised(told, folder, account, metric):
    improvements = told("explain", account, "-C", folder)["improvements"]
    return next(one for one in improvements if one["metric"] == metric)


def again(retinue, told, folder, account):
    """The computed score of the same last date, after the data changed."""
    retinue("run", "-C", folder, "--from", "2026-03-31", "--to", "2026-03-31")
    return told("explain", account, "-C", folder)["layers"][0]["score"]


def test_doing_what_was_proposed_gives_the_promised_scores(retinue, told, own):
    """Five of the seven tickets of A-03 are solved, A-04 pays, A-08 answers with an eight, A-02
    works on nine more days: the score of each is the one that was promised."""
    solved = promised(told, own, "A-03", "open_tickets")
    assert (solved["from_value"], solved["to_value"]) == (7, 2)
    path = own / "data/tickets.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:-5], *(row + "2026-03-31" for row in rows[-5:])]) + "\n")

    paid = told("explain", "A-04", "-C", own)["improvements"][0]
    path = own / "data/invoices.csv"
    path.write_text(path.read_text().replace("A-04,2026-03-05,,", "A-04,2026-03-05,2026-03-31,"))

    answered = promised(told, own, "A-08", "last_nps")
    assert answered["to_value"] == 8
    path = own / "data/surveys.csv"
    path.write_text(path.read_text() + "A-08,2026-03-31,8\n")

    worked = promised(told, own, "A-02", "active_days")
    assert (worked["from_value"], worked["to_value"]) == (4, 13)
    path = own / "data/usage.csv"
    days = (date(2026, 3, 31) - timedelta(days=n) for n in range(28))
    idle = [day for day in days if day.weekday() != 0][:9]
    path.write_text(path.read_text() + "".join(f"A-02,{day},user0\n" for day in idle))

    scores = {account: again(retinue, told, own, account) for account in ("A-03",)}
    scores |= {
        account: told("explain", account, "-C", own)["layers"][0]["score"]
        for account in ("A-04", "A-08", "A-02")
    }
    assert scores["A-03"] == pytest.approx(solved["score"], abs=1e-6)
    assert scores["A-04"] == pytest.approx(paid["score"], abs=1e-6)
    assert scores["A-08"] == pytest.approx(answered["score"], abs=1e-6)
    assert scores["A-02"] == pytest.approx(worked["score"], abs=1e-6)
