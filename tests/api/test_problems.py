"""Whatever goes wrong is told in one shape, and nothing that is sent breaks anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.store.people.access import OPERATOR
from retinue.store.people.audit_log import audit_log
from tests.api.callers import Caller, Programs, problem
from tests.web.house import House

API = "/api/v1"
NOTES = f"{API}/accounts/zq00-id/notes"


@pytest.fixture(scope="module")
def programs(house: House) -> Programs:
    return Programs(house)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/nothing", None, 404, "nothing at this address"),
        ("GET", "", None, 404, "nothing"),
        ("GET", "/accounts/zq99-id", None, 404, "zq99-id"),
        ("DELETE", "/accounts", None, 405, "method"),
        ("GET", "/accounts?sort=nothing", None, 422, "query.sort"),
        ("GET", "/accounts?limit=0", None, 422, "query.limit"),
        ("GET", "/accounts?limit=251", None, 422, "query.limit"),
        ("GET", "/accounts?colour=red", None, 422, "query.colour"),
        ("GET", "/accounts?after=zq99-id", None, 404, "page before"),
        ("GET", "/accounts?search=%00", None, 422, "query.search"),
        ("GET", "/accounts?renews_on_min=tomorrow", None, 422, "2026-03-31"),
        ("GET", "/accounts?effective_min=nan", None, 422, "query.effective_min"),
        ("GET", "/accounts/%00/explanation", None, 422, "account_id"),
        ("GET", "/accounts/zq00-id/timeline?before=x", None, 422, "query.before"),
        ("GET", "/tasks?after=99999999999999999999", None, 422, "query.after"),
        ("GET", "/portfolio?by=nothing", None, 409, "nothing"),
        ("GET", "/scorecards/nothing", None, 404, "nothing"),
        ("GET", "/people/0", None, 422, "person"),
        ("POST", "/accounts/zq00-id/notes", {}, 422, "body.text"),
        ("POST", "/accounts/zq00-id/notes", {"text": "  "}, 409, "text"),
        ("POST", "/accounts/zq00-id/notes", {"text": "x" * 10_001}, 422, "body.text"),
        ("POST", "/accounts/zq00-id/notes", {"text": "a", "by": "b"}, 422, "body.by"),
        ("POST", "/accounts/zq99-id/notes", {"text": "a"}, 404, "zq99-id"),
        ("POST", "/accounts/zq00-id/pulses", {"metric": "mood", "value": 11}, 422, "body.value"),
        ("POST", "/accounts/zq00-id/pulses", {"metric": "mood", "value": "5"}, 422, "body.value"),
        ("POST", "/accounts/zq00-id/pulses", {"metric": "none", "value": 5}, 409, "none"),
        (
            "POST", "/accounts/zq00-id/pulses", {"metric": "mood", "value": 5, "expires_on": "2020-01-01"},
            409, "expires",
        ),
        ("POST", "/tasks/999999/close", {}, 404, "999999"),
        ("POST", "/notes/999999/withdraw", None, 404, "999999"),
        ("POST", "/keys", {"name": "x", "scopes": []}, 422, "body.scopes"),
        ("DELETE", "/views/999999", None, 404, "999999"),
        ("PATCH", "/people/999999", {"team": "x"}, 404, "999999"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line_with_what_to_do(
    programs: Programs, method: str, path: str, body: Any, status: int, says: str
) -> None:
    told = problem(programs.client().request(method, API + path, json=body), status)
    assert says in told["detail"]
    assert "\n" not in told["detail"]


def test_who_is_nobody_is_told_how_to_be_somebody(programs: Programs) -> None:
    client = programs.client(Caller(None))
    for key in (
        None,
        "Bearer nothing",
        "Bearer rtn_000000000000_" + "x" * 43,
        "Basic YTpi",
        "Bearer ",
        "rtn",
    ):
        headers = {} if key is None else {"Authorization": key}
        answer = client.get(f"{API}/accounts", headers=headers)
        assert "Bearer" in answer.headers["www-authenticate"]
        assert "key" in problem(answer, 401)["detail"] + str(problem(answer, 401)["hint"])


def test_a_session_reads_and_does_nothing(programs: Programs) -> None:
    client = programs.client(Caller("admin"))
    assert client.get(f"{API}/accounts").status_code == 200
    before = len(audit_log(programs.house.workspace.store, OPERATOR, limit=500))
    problem(client.post(NOTES, json={"text": "forged"}), 401)
    assert len(audit_log(programs.house.workspace.store, OPERATOR, limit=500)) == before


def test_a_wrong_key_beside_a_session_is_a_wrong_key(programs: Programs) -> None:
    client = programs.client(Caller("admin"))
    problem(client.get(f"{API}/me", headers={"Authorization": "Bearer rtn_nothing"}), 401)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"text": "\xff"}', 400),
        (b'{"text": "a\\u0000b"}', 422),
        (b'{"text": "\\ud800"}', 422),
        (b'{"text": NaN}', 422),
        (b'{"text": 1e999}', 422),
        (b'{"text": ' + b"9" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (b'{"text": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        (b'{"text": {"a": {"b": []}}}', 422),
        (b"null", 422),
        (b'"text"', 422),
        (b'{"text": "a", "text": "b", "__proto__": {}}', 422),
        (b"x" * (600 * 1024), 413),
    ],
)
def test_hostile_bodies_are_refused(programs: Programs, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    problem(programs.client().post(NOTES, content=body, headers=headers), status)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_of_another_site_could_send_is_no_json(programs: Programs, kind: str) -> None:
    answer = programs.client().post(NOTES, content=b'{"text": "a"}', headers={"Content-Type": kind})
    assert answer.status_code in (400, 415, 422)
    problem(answer, answer.status_code)


def test_unknown_methods_are_refused_with_those_that_are_known(programs: Programs) -> None:
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
        answer = programs.client().request(method, f"{API}/accounts")
        problem(answer, 405)
        assert answer.headers["allow"] == "GET"


def test_headers_keep_answers_to_themselves(programs: Programs) -> None:
    for path in ("/accounts", "/nothing", "/openapi.json"):
        headers = programs.client().get(API + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-cache"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_a_key_is_in_no_answer_and_its_text_is_told_once(programs: Programs) -> None:
    client = programs.client()
    made = client.post(f"{API}/keys", json={"name": "once", "scopes": ["read"]}).json()
    secret = made["key"].rsplit("_", 1)[1]
    told = client.get(f"{API}/keys").text + client.get(f"{API}/audit").text
    assert made["id"] in told
    assert secret not in told


@given(
    st.dictionaries(
        st.sampled_from(["text", "value", "metric", "kind", "owner", "title", "due_on", "reason", "x"]),
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.text(), max_size=2),
        max_size=5,
    ),
    st.sampled_from(["notes", "pulses", "overrides", "outcomes", "tasks"]),
)
def test_any_form_is_taken_or_refused_in_words(programs: Programs, body: dict[str, Any], what: str) -> None:
    answer = programs.client().post(
        f"{API}/accounts/zq00-id/{what}",
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    if answer.status_code != 201:
        assert answer.status_code in (409, 422)
        problem(answer, answer.status_code)


def test_what_has_not_changed_is_not_sent_again(programs: Programs) -> None:
    client = programs.client()
    first = client.get(f"{API}/accounts?limit=3")
    tag = first.headers["etag"]
    again = client.get(f"{API}/accounts?limit=3", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(f"{API}/accounts?limit=4", headers={"If-None-Match": tag}).status_code == 200
    other = programs.client(Caller("leader", "read"))
    assert other.get(f"{API}/accounts?limit=3", headers={"If-None-Match": tag}).status_code == 200
    client.post(NOTES, json={"text": "something new"})
    after = client.get(f"{API}/accounts?limit=3", headers={"If-None-Match": tag})
    assert after.status_code == 200
    assert after.headers["etag"] != tag


def test_pages_follow_one_another_without_gap_or_overlap(programs: Programs) -> None:
    client = programs.client()
    for sort in ("attention", "name", "arr", "renews_on"):
        whole = client.get(f"{API}/accounts?sort={sort}&limit=250").json()
        ids, after = [], ""
        while after is not None:
            query = f"sort={sort}&limit=11" + (f"&after={after}" if after else "")
            page = client.get(f"{API}/accounts?{query}").json()
            assert "items" in page, (query, page)
            ids += [item["account_id"] for item in page["items"]]
            after = page["after"]
        assert ids == [item["account_id"] for item in whole["items"]]
        assert len(ids) == whole["accounts"]


def test_before_the_first_run_the_api_says_so(unscored: House) -> None:
    told = problem(Programs(unscored).client().get(f"{API}/accounts"), 404)
    assert "nothing is published yet" in told["detail"]
    assert "retinue run" in told["hint"]
