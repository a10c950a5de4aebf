"""Signing in at a real provider; see provider/provider.mjs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from retinue.errors import Forbidden, SignInError, StoreError
from retinue.signin.oidc import Away, come_back, send_away
from retinue.signin.provider import Provider, Settings
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR
from retinue.store.people.audit_log import audit_log
from retinue.store.people.people import Person, change_person, disable_person, find_person
from tests.access.elsewhere import RETURN, SECRET, signed_in
from tests.access.hands import let_in


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture
def settings(issuer: str) -> Settings:
    return Settings(issuer, "retinue", SECRET, name="Example")


@pytest.fixture
def provider(settings: Settings) -> Provider:
    return Provider(settings)


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the provider has a clock of its own


def away(store: Store, provider: Provider, next_: str = "/") -> Away:
    return send_away(store, provider, redirect_uri=RETURN, next=next_, now=now())


def back(
    store: Store, provider: Provider, there: Away, answer: dict[str, str], **told: Any
) -> tuple[Person, str]:
    fixed = {"kept_state": there.state, "redirect_uri": RETURN, "now": now()}
    return come_back(store, provider, answer, **{**fixed, **told})


def whole(store: Store, provider: Provider, login: str = "ann") -> Person:
    there = away(store, provider)
    return back(store, provider, there, signed_in(there.address, login))[0]


def test_whoever_an_admin_lets_in_signs_in_there_and_is_known_by_subject_from_then_on(
    store: Store, provider: Provider, issuer: str
):
    ann = let_in(store, "ann", issuer=issuer)
    there = away(store, provider, "/accounts/A?x=1")
    person, page = back(store, provider, there, signed_in(there.address))
    assert (person, page) == (replace(ann, subject="ann"), "/accounts/A?x=1")
    change_person(store, OPERATOR, ann.id, now=now(), email="other@example.com")
    assert whole(store, provider).id == ann.id
    assert [entry.what for entry in audit_log(store, OPERATOR, what="link")] == ["link person"]


def test_who_was_not_let_in_stays_out_and_is_not_made(store: Store, provider: Provider, issuer: str):
    let_in(store, "ann")  # has a password elsewhere: nobody said that she may sign in there
    let_in(store, "bob", issuer=issuer)  # his e-mail is not verified over there
    gone = let_in(store, "gone", issuer=issuer)
    whole(store, provider, "gone")
    disable_person(store, OPERATOR, gone.id, now=now())
    for login in ("ann", "bob", "eve", "gone"):
        with pytest.raises(Forbidden, match="does not let you in"):
            whole(store, provider, login)
    assert find_person(store, OPERATOR, "ann@example.com").subject is None
    assert find_person(store, OPERATOR, "bob@example.com").subject is None
    assert not audit_log(store, OPERATOR, subject="eve@example.com")


def test_somebody_else_with_the_e_mail_is_not_that_person(
    store: Store, provider: Provider, issuer: str, twisted: Any
):
    let_in(store, "ann", issuer=issuer)
    whole(store, provider)
    twisted(claims={"sub": "eve", "email": "ann@example.com", "email_verified": True})
    with pytest.raises(Forbidden):
        whole(store, provider)


def test_newcomers_come_in_as_the_project_says_with_their_e_mail_only(store: Store, settings: Settings):
    newcomers = replace(settings, create_as="csm", territories_claim="territories", team_claim="team")
    ann = whole(store, Provider(newcomers))
    assert (ann.role, ann.sees, ann.owners) == ("csm", "team", ("ann@example.com",))
    assert (ann.territories, ann.team, ann.subject) == (("EU",), "north", "ann")
    assert audit_log(store, OPERATOR, what="add person")[0].who == "sign-in at Example"
    with pytest.raises(Forbidden):
        whole(store, Provider(newcomers), "bob")
    assert whole(store, Provider(replace(newcomers, trust_email=True)), "bob").territories == ()


def test_what_the_provider_says_of_territories_holds_over_what_an_admin_set(
    store: Store, settings: Settings, issuer: str
):
    ann = let_in(store, "ann", issuer=issuer, territories=["US"], team="south")
    found = whole(store, Provider(replace(settings, territories_claim="territories", team_claim="nothing")))
    assert (found.id, found.territories, found.team) == (ann.id, ("EU",), None)


def test_a_state_counts_only_in_the_browser_where_it_began(store: Store, provider: Provider, issuer: str):
    let_in(store, "ann", issuer=issuer)
    there, other = away(store, provider), away(store, provider)
    answer = signed_in(there.address)
    for kept, state in ((other.state, answer["state"]), ("", answer["state"]), (other.state, ""), ("", "")):
        with pytest.raises(SignInError, match="did not begin in this browser"):
            back(store, provider, there, {**answer, "state": state}, kept_state=kept)
    with pytest.raises(SignInError, match="is over, or was used before"):
        back(store, provider, there, {**answer, "state": "made up"}, kept_state="made up")
    # The code was sent for with another verifier and nonce than this state's.
    with pytest.raises(SignInError, match="400 invalid_grant"):
        back(store, provider, other, {**answer, "state": other.state})


def test_nothing_comes_back_twice(store: Store, provider: Provider, issuer: str):
    let_in(store, "ann", issuer=issuer)
    there = away(store, provider)
    answer = signed_in(there.address)
    back(store, provider, there, answer)
    with pytest.raises(SignInError, match="was used before"):
        back(store, provider, there, answer)
    again = away(store, provider)
    signed_in(again.address)
    with pytest.raises(SignInError, match="400 invalid_grant"):
        back(store, provider, again, {**answer, "state": again.state})


def test_signing_in_takes_ten_minutes_at_most(store: Store, provider: Provider, issuer: str):
    let_in(store, "ann", issuer=issuer)
    there = away(store, provider)
    with pytest.raises(SignInError, match="is over"):
        back(store, provider, there, signed_in(there.address), now=now() + timedelta(minutes=11))


def test_the_answer_of_another_provider_is_not_taken(store: Store, provider: Provider):
    there = away(store, provider)
    answer = signed_in(there.address)
    assert answer["iss"] == provider.settings.issuer
    with pytest.raises(SignInError, match="another provider answered"):
        back(store, provider, there, {**answer, "iss": "https://evil.example.com"})
    there = away(store, provider)
    answer = signed_in(there.address)
    del answer["iss"]
    with pytest.raises(SignInError, match="another provider answered"):
        back(store, provider, there, answer)


def test_whoever_gives_up_over_there_is_told_to_start_again(store: Store, provider: Provider, issuer: str):
    there = away(store, provider)
    answer = {"error": "access_denied", "state": there.state, "iss": issuer}
    with pytest.raises(SignInError, match="Example let nobody in"):
        back(store, provider, there, answer)


@pytest.mark.parametrize(
    ("twist", "message"),
    [
        ({"claims": {"nonce": "another"}}, "nonce"),
        ({"claims": {"nonce": None}}, "nonce"),
        ({"claims": {"aud": "another"}}, "aud"),
        ({"claims": {"aud": ["retinue", "another"], "azp": "another"}}, "azp"),
        ({"claims": {"aud": ["retinue", "another"]}}, "azp"),
        ({"claims": {"iss": "https://evil.example.com"}}, "iss"),
        ({"after": {"exp": -3600}}, "expired|exp"),
        ({"claims": {"exp": None}}, "exp"),
        ({"after": {"iat": 3600}}, "iat"),
        ({"claims": {"sub": None}}, "sub"),
        ({"claims": {"sub": ""}}, "does not say who signed in"),
        ({"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, "at_hash"),
        ({"claims": {"email": None}, "key": "other"}, "has not signed"),
        ({"alg": "none"}, "has not signed"),
    ],
)
def test_a_token_that_says_anything_else_lets_nobody_in(
    store: Store, provider: Provider, issuer: str, twisted: Any, twist: dict[str, Any], message: str
):
    let_in(store, "ann", issuer=issuer)
    twisted(**twist)
    with pytest.raises(SignInError, match=message):
        whole(store, provider)
    assert find_person(store, OPERATOR, "ann@example.com").subject is None


def test_clocks_may_differ_a_little(store: Store, provider: Provider, issuer: str, twisted: Any):
    let_in(store, "ann", issuer=issuer)
    twisted(after={"iat": 20, "exp": -20})
    assert whole(store, provider).subject == "ann"


def test_without_its_verifier_a_code_is_worth_nothing(store: Store, provider: Provider, issuer: str):
    let_in(store, "ann", issuer=issuer)
    there = away(store, provider)
    assert "code_challenge_method=S256" in there.address
    code = signed_in(there.address)["code"]
    with pytest.raises(SignInError, match="400 invalid_grant"):
        provider.tokens(code, "x" * 43, RETURN, now())


def test_a_new_key_of_the_provider_is_fetched_when_a_token_names_it(
    store: Store, provider: Provider, issuer: str
):
    let_in(store, "ann", issuer=issuer)
    whole(store, provider)
    httpx.post(issuer + "/rotate").raise_for_status()
    with pytest.raises(SignInError, match="has not signed"):
        whole(store, provider)  # keys are not asked for all the time: a flood of tokens would be passed on
    there = away(store, provider)
    answer = signed_in(there.address)
    later = now() + timedelta(seconds=61)
    assert back(store, provider, there, answer, now=later)[0].subject == "ann"


def test_a_provider_is_who_it_is_declared_to_be(store: Store, issuer: str):
    named_otherwise = issuer.replace("127.0.0.1", "localhost")
    with pytest.raises(SignInError, match="says that it is another one"):
        away(store, Provider(Settings(named_otherwise, "retinue")))
    with pytest.raises(SignInError, match="cannot be reached"):
        away(store, Provider(Settings("http://127.0.0.1:1", "retinue")))
    with pytest.raises(StoreError, match="no https address"):
        Settings("http://id.example.com", "retinue")
