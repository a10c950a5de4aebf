"""Everybody at every tool: over the protocol as some, and without it as all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from retinue.cli import main
from retinue.mcp.tools import TOOLS
from tests.mcp.clients import NO_KEY, Reply, arguments, assistant, environment, key_of, within
from tests.mcp.doors import CASES, NARROWED, account_of, hidden_from
from tests.web.company import mark, numbers_seen
from tests.web.house import House
from tests.web.leaks import unseen

_MARK = re.compile(r"zq\d\d")


def leaked(name: str, reply: Reply, asked: str) -> set[str]:
    """Marks of accounts out of the person's sight, but for what they asked for themselves."""
    return (set(_MARK.findall(reply.whole)) & unseen(name)) - set(_MARK.findall(asked))


def test_every_tool_stands_in_the_table_of_who_may_call_it() -> None:
    assert {tool.name: tool.right for tool in TOOLS} == {name: case.right for name, case in CASES.items()}


@pytest.mark.parametrize("name", ["owner", "stranger", "admin"])
def test_a_client_lists_and_calls_every_tool(house: House, name: str, tmp_path: Path) -> None:
    key, account = key_of(house, name), account_of(name)
    sees = any(numbers_seen(name))
    writes = name != "stranger"
    with assistant(
        house.folder.parent, key, tmp_path / "log", *(["--allow-writes"] if writes else [])
    ) as one:
        tools = {tool.name: tool for tool in one.tools()}
        assert set(tools) == {what for what, case in CASES.items() if writes or case.right == "read"}
        for what, tool in tools.items():
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint == (CASES[what].right == "read")
        for what, case in CASES.items():
            asked = case.asked(house, account)
            reply = one.call(what, **asked)
            answered = case.answers(name, sees=sees) and what in tools
            assert reply.error != answered, f"{what}: {reply.text}"
            assert not leaked(name, reply, str(asked)), what
            if what not in tools:
                assert "--allow-writes" in reply.text
        # Some at once, as assistants do.
        several = [one.portal.start_task_soon(one.client.call_tool, "list_accounts", {}) for _ in range(6)]
        assert len({str(told.result().structured_content) for told in several}) == 1
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert key not in log
    assert key.rsplit("_", 1)[1] not in log
    assert account not in log
    assert "They were glad" not in log


@pytest.mark.parametrize(
    ("key", "more", "told"),
    [
        (None, (), "nobody says who asks"),
        (NO_KEY, (), "not known, or over"),
        ("not a key", (), "not known, or over"),
        (None, ("--as", "who@example.com"), "no person"),
        (None, ("--as", "gone@example.com"), "disabled"),
        (None, ("--key-file", "missing"), "cannot be read"),
    ],
)
def test_nobody_does_not_come_in(house: House, key: str | None, more: tuple[str, ...], told: str) -> None:
    found = CliRunner().invoke(main, arguments(house.folder.parent, *more), env=environment(key))
    assert found.exit_code == 1
    assert found.stdout == ""
    assert told in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert key is None or key not in found.stderr


@pytest.mark.parametrize("name", ["owner", "teammate", "southerner", "reader", "guest"])
def test_everybody_is_answered_as_the_table_says_and_sees_their_accounts_only(
    house: House, name: str
) -> None:
    one = within(house, name)
    sees = any(numbers_seen(name))
    for what, case in CASES.items():
        asked = case.asked(house, account_of(name))
        for more in [{}, *([NARROWED[what]] if what in NARROWED else [])]:
            reply = one.call(what, **{**asked, **more})
            assert reply.error != case.answers(name, sees=sees), f"{what}: {reply.text}"
            assert not leaked(name, reply, str(asked)), what


@pytest.mark.parametrize("name", ["owner", "teammate", "southerner", "guest", "stranger"])
def test_an_account_out_of_sight_is_not_there(house: House, name: str) -> None:
    one, hidden = within(house, name), hidden_from(name)
    assert hidden is not None
    for what, case in CASES.items():
        if not case.account or case.right == "act":
            continue
        reply, other = (one.call(what, **case.asked(house, who)) for who in (hidden, "zq99-id"))
        assert reply.error
        assert not leaked(name, reply, hidden)
        assert reply.text.replace(hidden, "X") == other.text.replace("zq99-id", "X")
    assert one.call("search_accounts", text=hidden[:4]).data["accounts"] == []
    assert one.call("list_accounts", after=hidden).error
    # Nor by its name, which is exact.
    assert one.call("explain_account", account_id=f"{hidden[:4]} Company").error


def test_a_list_has_each_account_that_its_reader_sees_once(house: House) -> None:
    for name in ("owner", "teammate", "southerner", "leader", "stranger"):
        one, found, after = within(house, name), [], None
        while True:
            page = one.call("list_accounts", limit=5, **({"after": after} if after else {})).data
            found += [row["account_id"] for row in page["accounts"]]
            after = page["next_after"]
            if after is None:
                break
            assert page["left_out"]
        assert sorted(found) == [f"{mark(n)}-id" for n in numbers_seen(name)]
        assert page["total"] == len(found)


def test_a_key_that_only_reads_does_not_write(house: House) -> None:
    one = within(house, "owner", "read")
    account = account_of("owner")
    assert not one.call("explain_account", account_id=account).error
    reply = one.call("add_note", account_id=account, text="they are well")
    assert reply.error
    assert "right to act" in reply.text
