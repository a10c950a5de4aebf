"""Forged posts, other hosts, big bodies, odd paths: what the guard of the pages lets through."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from retinue.store.people.access import OPERATOR, Actor
from retinue.store.people.people import disable_person
from retinue.store.people.saved_views import views_of
from retinue.store.people.sessions import begin_session, session
from retinue.web.app import DOORS
from retinue.web.guard import FIELDS, FORM
from retinue.web.site import Door, Visit
from tests.web.company import NOW
from tests.web.doors import CASES, EVERYBODY
from tests.web.house import FORM as TYPE
from tests.web.house import HOST, House, masked
from tests.web.test_routes import address

#: The headers that every answer has, and what they must hold.
SECURE = {
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=()",
    "cache-control": "",
}
VIEW = {"name": "Forged", "query": "scope=all"}


def saved(house: House, name: str = "owner") -> list[str]:
    """The names of the views of a person: what a forged post would have added to."""
    person = house.people[name]
    return [view.name for view in views_of(house.workspace.store, Actor("x", person=person))]


# --- headers -------------------------------------------------------------------------------------


def assert_secure(answer: Any) -> None:
    for name, part in SECURE.items():
        assert part in answer.headers.get(name, "absent"), (name, answer.request.url)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    for directive in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "script-src 'self'"):
        assert directive in policy


def test_every_answer_has_every_header(house: House) -> None:
    for what, case in CASES.items():
        method, template = what.split(" ", 1)
        for name in (None, "owner", "reader"):
            browser = house.browser(name)
            path = address(template, case.path(house, name))
            answer = browser.get(path) if method == "GET" else browser.post(path, case.form)
            assert_secure(answer)
            if not path.startswith("/static"):
                assert "public" not in answer.headers["cache-control"]
                assert re.search("no-cache|no-store", answer.headers["cache-control"]), path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *[("/no/such/page", 404), ("/static/none.css", 404), ("/?sort=nonsense", 400), ("/?scope=x", 400)],
        *[("/?after=nobody", 404), ("/views", 405), ("/static/", 404), ("/%00", 404)],
    ],
)
def test_errors_have_every_header_too(house: House, path: str, status: int) -> None:
    answer = house.browser("owner").get(path)
    assert answer.status_code == status
    assert_secure(answer)
    assert answer.headers["content-type"].startswith("text/html")


def test_a_bug_of_ours_answers_in_the_frame_with_every_header_and_without_its_reason(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from retinue.web import app

    def broken(visit: Visit) -> Any:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(app, "DOORS", (Door("/broken", "read", show=broken),))
    browser = House(house.site, house.people, house.tokens).browser("owner")
    transport: Any = browser.client._transport
    transport.raise_server_exceptions = False
    answer = browser.get("/broken")
    assert answer.status_code == 500
    assert_secure(answer)
    assert "something went wrong" in answer.text.casefold()
    assert "secret of the house" not in answer.text
    assert "secret of the house" in caplog.text  # whoever runs this finds it there


def test_https_is_insisted_on_where_people_come_by_it(house: House) -> None:
    plain, secure = (
        house.browser().get("/"),
        house.served(address="https://retinue.example.com").browser().get("/"),
    )
    assert "strict-transport-security" not in plain.headers
    assert "max-age=31536000" in secure.headers["strict-transport-security"]


def test_a_file_is_kept_for_ever_under_the_address_of_its_bytes_only(house: House) -> None:
    browser = house.browser("owner")
    for name in sorted(set(re.findall(r'(?:href|src)="(/static/[^"]+)"', browser.get("/").text))):
        answer = browser.get(name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert "set-cookie" not in answer.headers
        assert browser.get(name.split("?")[0]).headers["cache-control"] == "no-cache"
        # Whoever keeps these bytes under the address of others would keep the wrong ones.
        assert browser.get(name.split("?")[0] + "?v=000000000000").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "../guard.py",
        "..%2fguard.py",
        "%2e%2e/guard.py",
        "%2e%2e%2fguard.py",
        "..%5cguard.py",
        "....//guard.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "vendor/../../guard.py",
        "vendor%2f..%2f..%2fguard.py",
        "vendor/./../../templates/base.html",
        "retinue.css%00.js",
        "retinue.css/",
        "vendor",
        "vendor/",
        ".",
        "%252e%252e%252fguard.py",
        "\u2025/guard.py",
        "C:%5cWindows%5cwin.ini",
    ],
)
def test_nothing_but_static_files_is_under_static(house: House, path: str) -> None:
    status, body = house.raw("/static/" + path)
    assert status == 404
    assert b"import annotations" not in body
    assert b"block content" not in body
    assert b"root:" not in body


# --- forged posts --------------------------------------------------------------------------------

FORGED: dict[str, dict[str, str]] = {
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    "another site, as the browser says": {"Sec-Fetch-Site": "cross-site", "Origin": HOST},
    "a neighbour": {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.testserver"},
    "another port": {"Sec-Fetch-Site": "same-site", "Origin": HOST + ":8080"},
    "a wrong origin": {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    "no origin": {"Sec-Fetch-Site": "", "Origin": ""},
    "the origin null": {"Sec-Fetch-Site": "", "Origin": "null"},
    "the origin null, from another site": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "an origin that begins alike": {"Sec-Fetch-Site": "", "Origin": HOST + ".evil.example"},
    "an origin with a name in it": {"Sec-Fetch-Site": "", "Origin": "http://testserver@evil.example"},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("name", ["owner", "demo"])
def test_a_post_from_elsewhere_changes_nothing(house: House, headers: dict[str, str], name: str) -> None:
    """Neither with the right token, nor where nobody signs in."""
    here = house if name == "owner" else house.served(open_as=Actor("demo", person=house.people["ops"]))
    browser = here.browser("owner" if name == "owner" else None, client=("127.0.0.1", 1))
    told = {key: value for key, value in headers.items() if value}
    if name == "demo":
        told = {key: value.replace("testserver", "localhost") for key, value in told.items()}
        told["Host"] = "localhost"
    before = saved(house), saved(house, "ops")
    fields = {**VIEW, **({"csrf": browser.csrf} if browser.csrf else {})}
    answer = browser.client.post("/views", data=fields, headers={**TYPE, **told})
    assert answer.status_code == 403
    assert (saved(house), saved(house, "ops")) == before


def test_a_post_needs_the_token_of_its_own_session(house: House) -> None:
    browser = house.browser("owner")
    store, site = house.workspace.store, house.site
    _, second = begin_session(store, house.people["owner"], agent="another", now=NOW)
    token = browser.csrf
    assert token is not None
    wrong = {
        "none": None,
        "empty": "",
        "of somebody else": masked(site, house.tokens["admin"][1]),
        "of another session of hers": masked(site, second),
        "bare": house.tokens["owner"][1],
        "cut short": token[:-4],
        "not base64": "*" * 40,
        "not even ASCII": "t\u00f6ken",
        "of noughts": "A" * len(token),
    }
    before = saved(house)
    for what, csrf in wrong.items():
        fields = VIEW if csrf is None else {**VIEW, "csrf": csrf}
        answer = house.browser("owner").client.post(
            "/views", data=fields, headers={"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code == 403, what
        assert saved(house) == before
    assert browser.post("/views", VIEW).status_code == 303
    assert "Forged" in saved(house)


def test_the_token_of_a_form_is_masked_anew_each_time(house: House) -> None:
    found = {
        re.search(r'name="csrf" value="([^"]+)"', house.browser("owner").get("/").text)[1] for _ in range(4)
    }
    assert len(found) == 4
    assert all(house.tokens["owner"][1] not in one for one in found)


@pytest.mark.parametrize("what", [what for what in CASES if what.startswith("POST ")])
def test_every_form_refuses_a_post_from_elsewhere(house: House, what: str) -> None:
    case = CASES[what]
    for name in EVERYBODY:
        browser = house.browser(name)
        path = address(what.split(" ", 1)[1], case.path(house, name))
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert browser.post(path, case.form, headers=headers).status_code == 403
        if name is not None and name != "gone":
            assert browser.post(path, {**case.form, "csrf": ""}).status_code == 403


@pytest.mark.parametrize("door", [door for door in DOORS if door.act is None], ids=lambda door: door.path)
def test_no_get_of_a_page_changes_anything(house: House, door: Door) -> None:
    """What is read stays as it was; only that it was looked at may be written down."""
    tables = (
        "people",
        "saved_views",
        "notes",
        "pulses",
        "overrides",
        "outcomes",
        "tasks",
        "assignments",
        "audit",
    )
    case = CASES[f"GET {door.path}"]

    def rows() -> dict[str, int]:
        with house.workspace.store.read() as connection:
            return {
                name: connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
                for name in tables
            }

    browser, path = house.browser("admin"), address(door.path, case.path(house, "admin"))
    before = rows()
    browser.get(path + case.query)
    assert rows() == before


# --- who somebody is -----------------------------------------------------------------------------


def test_a_token_that_the_store_does_not_know_is_nobodys(house: House) -> None:
    for token in ("", "x", "0" * 64, "\u00e9", "a" * 5000, house.tokens["gone"][0]):
        browser = house.browser()
        answer = browser.get("/", headers={"Cookie": f"retinue={token}".encode("latin-1", "replace")})
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")


def test_who_is_disabled_while_signed_in_is_out_at_once(own: House) -> None:
    browser = own.browser("reader")
    assert browser.get("/").status_code == 200
    disable_person(own.workspace.store, OPERATOR, own.people["reader"], now=NOW)
    assert browser.get("/").status_code == 303
    assert session(own.workspace.store, own.tokens["reader"][0], now=NOW) is None


def test_over_https_only_a_cookie_of_this_host_counts(house: House) -> None:
    """A neighbour of the same domain can set a cookie by the plain name, but none by __Host-."""
    secure = house.served(address="https://retinue.example.com")
    token = house.tokens["owner"][0]
    assert secure.browser().get("/", headers={"Cookie": f"retinue={token}"}).status_code == 303
    assert secure.browser().get("/", headers={"Cookie": f"__Host-retinue={token}"}).status_code == 200


DEMO = Actor("demo")
LOOPBACK = [
    ("127.0.0.1", "localhost"),
    ("127.0.0.1", "127.0.0.1:8400"),
    ("::1", "[::1]:8400"),
    ("127.9.9.9", "localhost"),
]
ELSEWHERE = [
    ("127.0.0.1", "evil.example"),  # a name of the attacker's that is pointed here
    ("127.0.0.1", "localhost.evil.example"),
    ("127.0.0.1", "127.0.0.1.nip.example"),
    ("127.0.0.1", "evil@localhost:x"),
    ("127.0.0.1", "0.0.0.0"),
    ("127.0.0.1", "[::ffff:7f00:1"),
    ("127.0.0.1", ""),
    ("192.0.2.7", "localhost"),
    ("192.0.2.7", "127.0.0.1"),
    ("10.0.0.1", "[::1]"),
    ("not an address", "localhost"),
]


@pytest.mark.parametrize(("address", "host"), LOOPBACK)
def test_the_demo_is_open_to_this_machine(house: House, address: str, host: str) -> None:
    browser = house.served(open_as=DEMO).browser(client=(address, 1))
    assert browser.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(("address", "host"), ELSEWHERE)
def test_the_demo_is_closed_to_every_other(house: House, address: str, host: str) -> None:
    browser = house.served(open_as=DEMO).browser(client=(address, 1))
    answer = browser.get("/", headers={"Host": host})
    assert answer.status_code in (303, 400)
    assert "zq" not in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_the_demo_is_closed_behind_a_proxy(house: House, header: str) -> None:
    browser = house.served(open_as=DEMO).browser(client=("127.0.0.1", 1))
    answer = browser.get("/", headers={"Host": "localhost", header: "192.0.2.7"})
    assert answer.status_code == 303


def test_a_strange_host_never_gets_into_a_page_or_a_redirect(house: House) -> None:
    for host in ("evil.example", "evil.example:80", 'x"><script>', "testserver@evil.example"):
        for name in ("owner", None):
            answer = house.browser(name).get("/", headers={"Host": host, "X-Forwarded-Host": host})
            assert "evil.example" not in answer.text + answer.headers.get("location", "")
            assert "<script>" not in answer.text


# --- bodies --------------------------------------------------------------------------------------


def test_only_a_form_is_a_form(house: House) -> None:
    browser = house.browser("owner")
    for kind, status in [
        ("application/json", 415),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
        ("application/x-www-form-urlencoded-not", 415),
        ("Application/X-WWW-Form-Urlencoded; charset=UTF-8", 303),
    ]:
        answer = browser.post("/views", VIEW, headers={"Content-Type": kind})
        assert answer.status_code == status, kind


def test_a_form_has_a_size(house: House) -> None:
    browser = house.browser("owner")
    big = {**VIEW, "pad": "x" * FORM}
    assert browser.post("/views", big).status_code == 413

    def slowly() -> Any:
        """Without a length, as a chunked body has none."""
        yield b"name=x&pad="
        for _ in range(FORM // 1024 + 2):
            yield b"x" * 1024

    headers = {"Origin": HOST, "Sec-Fetch-Site": "same-origin", **TYPE}
    assert browser.client.post("/views", content=slowly(), headers=headers).status_code == 413
    lying = {**headers, "Content-Length": "12"}
    assert browser.client.post("/views", content=b"x" * (FORM + 1), headers=lying).status_code == 413
    for length in ("-1", "abc", "9" * 400, "1e9"):
        answer = browser.client.post(
            "/views", content=b"name=x", headers={**headers, "Content-Length": length}
        )
        assert answer.status_code in (400, 403, 413), length


def test_a_form_has_a_number_of_fields(house: House) -> None:
    browser = house.browser("owner")
    assert browser.post("/views", {**VIEW, **{f"f{n}": "" for n in range(FIELDS + 1)}}).status_code == 400


@pytest.mark.parametrize("body", [b"\xff\xfe", b"name=%ff", b"name=\xe2\x82", b"name=%ed%a0%80"])
def test_a_form_that_is_no_text_is_refused(house: House, body: bytes) -> None:
    headers = {"Origin": HOST, "Sec-Fetch-Site": "same-origin", **TYPE}
    answer = house.browser("owner").client.post("/views", content=body, headers=headers)
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("number", ["9" * 30, str(2**63), str(2**63 - 1), "0", "999999"])
def test_a_number_that_is_too_large_is_not_there(house: House, number: str) -> None:
    assert house.browser("owner").post(f"/views/{number}/remove").status_code == 404


def test_a_header_cannot_be_put_into_an_answer(house: House) -> None:
    """Line ends in what somebody types stay within the header that they came to."""
    browser = house.browser("owner")
    for text in ("a\r\nSet-Cookie: pwned=1", "a%0d%0aSet-Cookie:%20pwned=1", "a\nLocation: //evil.example"):
        for answer in (
            browser.post("/views", {"name": "Lines", "query": f"search={text}"}),
            browser.post("/views", {"name": "Lines", "query": text}),
            browser.get("/book.csv", params={"search": text}),
            house.browser().get("/", params={"search": text}),
        ):
            assert "pwned" not in answer.headers.get("set-cookie", "")
            location = answer.headers.get("location", "/")
            assert re.fullmatch(r"/[\x21-\x7e]*", location)
            assert not location.startswith("//")


def test_whoever_is_sent_to_sign_in_comes_back_to_a_page_of_ours(house: House) -> None:
    for path in ("/?search=x&sort=name", "//evil.example/x", "/%5cevil.example", "/\\evil.example"):
        status, _ = house.raw(path)
        assert status in (303, 404)
    answer = house.browser().get("/?search=a b&scope=all")
    assert answer.headers["location"] == "/sign-in?next=%2F%3Fsearch%3Da%2520b%26scope%3Dall"


def test_the_fields_of_a_door_are_what_these_tests_know() -> None:
    """A new way to open a door would need its own checks here."""
    assert [field.name for field in dataclasses.fields(Door)] == ["path", "right", "show", "act", "act_right"]
