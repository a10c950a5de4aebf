from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest
from argon2 import PasswordHasher

from retinue.errors import StoreError
from retinue.signin import passwords
from retinue.signin.passwords import MustChoose, Refused, check_new, hashed, sign_in, verified
from retinue.store.database import Store, open_store
from retinue.store.people.access import OPERATOR
from retinue.store.people.attempts import FREE, keys_for, try_now
from retinue.store.people.people import Person, disable_person, find_person, set_password, who_signs_in
from tests.access.hands import NOW, let_in

GOOD = "tin piano under fog"


@pytest.fixture
def store(tmp_path: Any) -> Any:
    # Nothing here is about SQL, and hashing takes its time.
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def kept() -> str:
    return hashed(GOOD)


def attempt(store: Store, email: str, password: str, **told: Any) -> Person | MustChoose | Refused:
    return sign_in(store, email, password, **{"address": "192.0.2.7", "now": NOW, **told})


def test_the_right_password_signs_in_whatever_the_case_of_the_e_mail(store: Store, kept: str):
    ann = let_in(store, password_hash=kept)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert attempt(store, " ANN@example.com", GOOD) == ann
    assert attempt(store, "ann@example.com", GOOD + " ") == Refused()


def test_a_password_typed_another_way_is_the_same_one(store: Store):
    assert verified("cafe\u0301 piano under fog", hashed("caf\u00e9 piano under fog"))


def test_all_that_fails_gets_the_same_answer_after_the_same_work(
    store: Store, kept: str, monkeypatch: pytest.MonkeyPatch
):
    let_in(store, "ann", password_hash=kept)
    let_in(store, "without")
    gone = let_in(store, "gone", password_hash=kept)
    disable_person(store, OPERATOR, gone.id, now=NOW)
    work: list[str] = []

    class Counted(PasswordHasher):
        def verify(self, kept: Any, password: Any) -> Any:
            work.append(str(kept).rsplit("$", 2)[0])
            return super().verify(kept, password)

    monkeypatch.setattr(passwords, "_HASHER", Counted())
    tried = [("ann", GOOD + "!"), ("gone", GOOD), ("without", GOOD), ("nobody", GOOD), ("\0", GOOD)]
    for place, (name, password) in enumerate(tried):
        assert attempt(store, f"{name}@example.com", password, address=f"192.0.2.{place}") == Refused()
    assert work == ["$argon2id$v=19$m=65536,t=3,p=4"] * len(tried)


def test_without_a_password_nobody_comes_in_and_nothing_is_counted(store: Store, kept: str):
    let_in(store, "ann", password_hash=kept)
    for _ in range(2 * FREE):
        assert attempt(store, "ann@example.com", "") == attempt(store, " ", GOOD) == Refused()
    assert isinstance(attempt(store, "ann@example.com", GOOD), Person)


def test_whoever_guesses_waits_whether_the_person_exists_or_not(store: Store, kept: str):
    let_in(store, "ann", password_hash=kept)
    for name in ("ann", "nobody"):
        email = f"{name}@example.com"
        # All but one of those that are free are counted without their work.
        assert [try_now(store, keys_for(email, "192.0.2.7"), now=NOW) for _ in range(FREE - 1)] == [0] * (
            FREE - 1
        )
        assert [attempt(store, email, "wrong password") for _ in range(3)] == [
            Refused(),
            Refused(60),
            Refused(60),
        ]
    assert attempt(store, "ann@example.com", GOOD) == Refused(60)
    later = attempt(store, "ann@example.com", GOOD, now=NOW + timedelta(seconds=60))
    assert isinstance(later, Person)


def test_a_flood_of_attempts_leaves_threads_for_pages(
    store: Store, kept: str, monkeypatch: pytest.MonkeyPatch
):
    ann = let_in(store, "ann", password_hash=kept)
    monkeypatch.setattr(passwords, "_AT_ONCE", threading.BoundedSemaphore(1))
    with passwords._AT_ONCE, ThreadPoolExecutor(12) as threads:
        # All of them wait for whoever is at it; those who find the line full are sent away at once.
        tried = [
            threads.submit(attempt, store, "ann@example.com", GOOD, address=f"192.0.2.{n}") for n in range(12)
        ]
        sent_away = list(islice(as_completed(tried), 6))
        assert [future.result() for future in sent_away] == [Refused(passwords.FULL)] * 6
        passwords._AT_ONCE.release()
        assert [future.result() for future in tried if future not in sent_away] == [ann] * 6
        passwords._AT_ONCE.acquire()
    assert attempt(store, "ann@example.com", GOOD) == ann


def test_the_log_has_no_password_and_no_e_mail_that_might_be_one(
    store: Store, kept: str, caplog: pytest.LogCaptureFixture
):
    let_in(store, "ann", password_hash=kept)
    attempt(store, "my secret typed here", "other secret")
    attempt(store, "ann@example.com", "wrong password")
    assert "nobody known" in caplog.text
    assert "ann@example.com" in caplog.text
    assert "secret" not in caplog.text
    assert "wrong password" not in caplog.text


def test_a_password_kept_in_an_older_way_is_kept_in_the_newer_one_from_then_on(store: Store):
    older = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)
    ann = let_in(store, password_hash=older)
    assert attempt(store, "ann@example.com", GOOD) == ann
    found = who_signs_in(store, email="ann@example.com")
    assert found is not None
    assert found[1] is not None
    assert found[1].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert attempt(store, "ann@example.com", GOOD) == ann


def test_a_password_that_was_given_is_good_for_choosing_another_and_not_for_long(store: Store, kept: str):
    ann = let_in(store, "ann", password_hash=kept, password_days=7)
    assert attempt(store, "ann@example.com", GOOD) == MustChoose(ann)
    assert attempt(store, "ann@example.com", GOOD, now=NOW + timedelta(days=7)) == Refused()
    set_password(store, OPERATOR, ann.id, kept, now=NOW)
    assert isinstance(attempt(store, "ann@example.com", GOOD, now=NOW + timedelta(days=8)), Person)


def test_a_hash_that_is_none_lets_nobody_in(store: Store):
    ann = let_in(store)
    set_password(store, OPERATOR, ann.id, "", now=NOW)
    assert attempt(store, "ann@example.com", "") == Refused()
    assert find_person(store, OPERATOR, ann.id).id == ann.id


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 1025,
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "Password1234",
        "P@ssw0rd2024!",
        "123456789012",
        "qwertyuiop12",
        "annlee-2026!!",
        "Welcome2Example!",
        "letmeinletmein",
    ],
)
def test_what_is_easily_guessed_is_no_password(password: str):
    with pytest.raises(StoreError, match=r"letters at|easily guessed"):
        check_new(password, email="ann.lee@example.com", name="Ann Lee")


@pytest.mark.parametrize("password", [GOOD, "tin piano under fog " * 50, "Kp7#vQ2m!xWz", "горы и море вдали"])
def test_what_is_long_enough_is_a_password_whatever_its_letters(password: str):
    assert verified(password, check_new(password, email="ann.lee@example.com", name="Ann Lee"))
