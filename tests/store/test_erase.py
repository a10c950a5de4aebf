"""A person who is erased is nowhere in what Retinue keeps, and does not come back with a backup."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert, select

from retinue.desk import acting
from retinue.desk.account import account
from retinue.desk.erasing import erase_person, restore_backup
from retinue.errors import Forbidden, NotFound, StoreError
from retinue.run.layers import known_day
from retinue.store.database import Store
from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.audit_log import audit_log
from retinue.store.people.keys import actor_of_key, add_key
from retinue.store.people.people import actor_of, add_person, find_person, people_list
from retinue.store.people.saved_views import save_view
from retinue.store.people.sessions import begin_session
from retinue.store.people.uses import Uses
from retinue.store.published.reading import prepare
from retinue.store.tables import metadata, notes, outbox
from retinue.store.upkeep.backup import backup
from retinue.store.upkeep.erase import erase, sought
from retinue.store.upkeep.erase_files import REPLACED, Sought
from retinue.store.work.said import add_note
from retinue.workspace import Workspace, open_workspace
from tests.run.company import score
from tests.web.company import FIRST, LAST, NOW, company, texts

KIM = "kim.canary@customer.example"
OTHER = "kim.canary@notcustomer.example"
ZOE = "zoe.canary@example.com"
NAME = "Zoë Canary"


@pytest.fixture(scope="module")
def _scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose tables name Kim, a customer, and Zoe, who looks after accounts."""
    from dataclasses import replace

    told = [texts(number) for number in range(6)]
    told[0] = replace(told[0], owner=ZOE, subject=f"asked by {KIM.title()}, again")
    told[1] = replace(told[1], owner=NAME, said=f"{KIM} says hello")
    told[2] = replace(told[2], subject=f"asked by {OTHER}")
    made = company(told)
    folder = tmp_path_factory.mktemp("erase") / "acme"
    made.write(folder)
    table = folder / "data" / "surveys.csv"
    with table.open("a", encoding="utf-8") as file:
        file.write(f"nobody,not a day,{KIM},x\n")
    score(folder, LAST, FIRST, every="week")
    return folder


@pytest.fixture
def acme(_scored: Path, tmp_path: Path) -> Iterator[Workspace]:
    import shutil

    workspace = open_workspace(shutil.copytree(_scored, tmp_path / "acme"), {})
    prepare(workspace.published())
    yield workspace
    workspace.store.close()


def talk(workspace: Workspace) -> Actor:
    """Zoe signs in, and says and does one of everything; others speak of her and of Kim."""
    store = workspace.store
    add_person(store, OPERATOR, "root@example.com", "Root", "admin", now=NOW)
    number = add_person(store, OPERATOR, ZOE, NAME, "csm", now=NOW, sees="everything", owners=(ZOE, NAME))
    zoe = actor_of(store, find_person(store, OPERATOR, number))
    begin_session(store, number, agent="a browser", now=NOW)
    add_key(store, zoe, "bi", ["read"], now=NOW)
    save_view(store, zoe, "Mine", f"owner={ZOE}", shared=True, now=NOW)
    acting.note(workspace, zoe, "zq00-id", f"wrote to {KIM}", now=NOW)
    acting.note(workspace, OPERATOR, "zq00-id", f"{ZOE.upper()} is away; ask <{KIM}>.", now=NOW)
    acting.pulse(workspace, zoe, "zq01-id", "mood", 4, now=NOW, note=f"says {KIM}")
    acting.override(
        workspace, zoe, "zq01-id", "cap", 40, reason=f"{KIM} left", now=NOW, owner=NAME,
        expires_on=known_day(NOW, workspace.project) + timedelta(days=30),
    )  # fmt: skip
    acting.outcome(workspace, zoe, "zq02-id", "renewed", LAST, now=NOW, reason=KIM)
    acting.add_task(workspace, zoe, "zq02-id", f"call {KIM}", now=NOW, detail=f"ask {ZOE}")
    acting.assign(workspace, OPERATOR, "zq03-id", NAME, now=NOW)
    uses = Uses(store)
    uses.add(zoe, "view", "/", "zq00-id", NOW)
    uses.write()
    with store.write() as connection:
        connection.execute(
            insert(outbox).values(
                id="m1", destination="mail", kind="alert", subject=f"to {ZOE}",
                payload=json.dumps({"to": ZOE, "text": f"{KIM} \u00e9"}), due_at=NOW.replace(tzinfo=None),
                attempts=0, created_at=NOW.replace(tzinfo=None),
            )
        )  # fmt: skip
    pages = workspace.project.home / "state" / "pages"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / "trial.x.json").write_text(json.dumps({"reason": KIM}))
    return zoe


def traces(workspace: Workspace, *words: str) -> list[str]:
    """Where the words stand in what is kept: in bytes as they lie on the disk, and in unpacked Parquet."""
    found = []
    for path in sorted(workspace.project.home.rglob("*")):
        if not path.is_file():
            continue
        told = path.read_bytes()
        if path.suffix == ".parquet":
            told += "\n".join(map(str, pq.read_table(path).to_pylist())).encode()
        found += [f"{path.name}: {word}" for word in words if word.lower().encode() in told.lower()]
    with workspace.store.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                found += [
                    f"{table.name}: {word}" for word in words if word.lower() in str(tuple(row)).lower()
                ]
    return found


def test_a_customer_who_is_erased_leaves_no_trace(acme: Workspace) -> None:
    talk(acme)
    where = " ".join(traces(acme, KIM))
    for place in ("retinue.db", "timeline.parquet", "rejected.parquet", "notes", "tasks", "audit", "outbox"):
        assert place in where
    before = traces(acme, OTHER)
    receipt = erase_person(acme, OPERATOR, KIM.upper(), now=NOW)
    assert traces(acme, KIM) == []
    assert before != []
    assert traces(acme, OTHER) == before
    assert receipt.found > 10
    assert receipt.left == ()
    assert set(receipt.sources) == {"data/tickets.csv", "data/surveys.csv", "data/people.csv"}
    # What was said stays said.
    page = account(acme, OPERATOR, "zq00-id", now=NOW)
    assert f"wrote to {REPLACED}" in [event.text for event in page.timeline.events]
    assert page.explanation.score is not None


def test_somebody_who_signs_in_is_erased_with_all_that_is_theirs(acme: Workspace) -> None:
    talk(acme)
    receipt = erase_person(acme, OPERATOR, ZOE, now=NOW)
    assert traces(acme, ZOE, NAME) == []
    assert {"people", "sessions", "api_keys", "saved_views", "uses"} <= set(receipt.store)
    assert [person.email for person in people_list(acme.store, OPERATOR)] == ["root@example.com"]
    told = {event.by for event in account(acme, OPERATOR, "zq01-id", now=NOW).timeline.events}
    assert REPLACED in told and NAME not in told
    assert account(acme, OPERATOR, "zq00-id", now=NOW).account.owner == REPLACED
    assert account(acme, OPERATOR, "zq03-id", now=NOW).account.owner == REPLACED
    assert "data/accounts.csv" in receipt.sources
    (entry,) = [one for one in audit_log(acme.store, OPERATOR) if one.what == "erase person"]
    assert entry.after["found"] == receipt.found


def test_what_is_published_can_be_read_and_verified_afterwards(acme: Workspace, tmp_path: Path) -> None:
    talk(acme)
    before = acme.published().table("timeline").num_rows
    erase_person(acme, OPERATOR, KIM, now=NOW)
    assert 0 < acme.published().table("timeline").num_rows < before
    # Every checksum of the manifest is compared here.
    told = backup(acme.store, acme.project.home, tmp_path / "after.tar", now=NOW)
    assert told.files > 0
    score(acme.project.root, LAST + timedelta(days=7), LAST + timedelta(days=7), every="week")


def test_a_rehearsal_changes_nothing_and_finds_the_same(acme: Workspace) -> None:
    talk(acme)
    before = traces(acme, KIM, ZOE)
    said = erase_person(acme, OPERATOR, KIM, now=NOW, rehearsal=True)
    assert said.rehearsed
    assert traces(acme, KIM, ZOE) == before
    done = erase_person(acme, OPERATOR, KIM, now=NOW)
    assert said.store == done.store
    assert {k: v for k, v in done.files.items() if not k.startswith("reading")} == {
        k: v for k, v in said.files.items() if not k.startswith("reading")
    }


def test_whoever_was_erased_does_not_come_back_with_a_backup(acme: Workspace, tmp_path: Path) -> None:
    talk(acme)
    file = tmp_path / "before.tar"
    backup(acme.store, acme.project.home, file, now=NOW)
    erase_person(acme, OPERATOR, ZOE, now=NOW)
    erase_person(acme, OPERATOR, KIM, now=NOW)
    _, again = restore_backup(acme, file, now=NOW, force=True)
    assert again == 2
    assert traces(acme, ZOE, KIM) == []


def test_after_a_total_loss_the_kept_list_of_erasures_does_the_same(acme: Workspace, tmp_path: Path) -> None:
    talk(acme)
    home = acme.project.home
    file = tmp_path / "before.tar"
    backup(acme.store, home, file, now=NOW)
    erase_person(acme, OPERATOR, ZOE, now=NOW)
    kept = tmp_path / "erasures.jsonl"
    kept.write_bytes((home / "erasures.jsonl").read_bytes())
    assert ZOE not in kept.read_text()
    acme.store.close()
    import shutil

    shutil.rmtree(home)
    new = open_workspace(acme.project.root, {})
    _, again = restore_backup(new, file, now=NOW, erasures=kept)
    assert again == 1
    assert traces(new, ZOE) == []
    assert traces(new, KIM) != []
    # And from now on without the list.
    _, again = restore_backup(new, file, now=NOW, force=True)
    assert again == 1
    new.store.close()


def test_who_may_not_manage_may_not_erase_and_the_last_admin_stays(acme: Workspace) -> None:
    zoe = talk(acme)
    with pytest.raises(Forbidden):
        erase_person(acme, zoe, KIM, now=NOW)
    with pytest.raises(StoreError, match="last admin"):
        erase_person(acme, OPERATOR, "root@example.com", now=NOW)
    with pytest.raises(NotFound):
        erase_person(acme, OPERATOR, "12345", now=NOW)
    for nobody in ("Kim", "", "a@b", "%@%", "\0@x.example"):
        with pytest.raises(StoreError):
            sought(acme.store, OPERATOR, nobody)


def test_both_kinds_of_store_forget_the_same(store: Store, home: Path) -> None:
    add_person(store, OPERATOR, "root@example.com", "Root", "admin", now=NOW)
    number = add_person(store, OPERATOR, ZOE, NAME, "csm", now=NOW, team="red")
    zoe = actor_of(store, find_person(store, OPERATOR, number))
    begin_session(store, number, agent=None, now=NOW)
    _, key = add_key(store, zoe, "bi", ["act"], now=NOW)
    add_note(store, "A", f"ask {ZOE.upper()}, \u00e9", by=zoe, now=NOW)
    add_note(store, "A", "other", by=actor_of_key(store, key, now=NOW), now=NOW)
    home.mkdir(exist_ok=True)
    receipt = erase(store, home, OPERATOR, sought(store, OPERATOR, str(number)), now=NOW)
    assert receipt.store["people"] == receipt.store["sessions"] == 1
    with store.read() as connection:
        said = connection.execute(select(notes.c.text, notes.c.by).order_by(notes.c.id)).all()
        every = [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    assert [tuple(row) for row in said] == [
        (f"ask {REPLACED}, \u00e9", REPLACED),
        ("other", f"{REPLACED} (key bi)"),
    ]
    assert "canary" not in str([tuple(row) for row in every]).lower()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a@b.example", "erased person"),
        ("(A@B.EXAMPLE)", "(erased person)"),
        ("mail a@b.example.", "mail erased person."),
        ("mailto:a@b.example?x", "mailto:erased person?x"),
        ("aa@b.example", "aa@b.example"),
        ("x.a@b.example", "x.a@b.example"),
        ("a@b.example.org", "a@b.example.org"),
        ("a@b.examples", "a@b.examples"),
        ("a@b.example (key bi)", "erased person (key bi)"),
    ],
)
def test_an_address_is_found_where_it_stands_and_not_inside_of_another(text: str, clean: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    person = Sought("a@b.example")
    assert person.without("text", text) == clean
    hit = pc.match_substring_regex(pa.array([text]), person.regex(), ignore_case=True)[0].as_py()
    assert hit == (clean != text)


def test_a_name_that_two_people_have_stays_where_it_says_whose_something_is(acme: Workspace) -> None:
    add_person(acme.store, OPERATOR, "one@example.com", "Same Name", "csm", now=NOW)
    add_person(acme.store, OPERATOR, "two@example.com", "Same Name", "csm", now=NOW)
    assert sought(acme.store, OPERATOR, "one@example.com").names == frozenset()
