"""Programs work on tasks: the list says why each is there, many are changed at once, each with its answer."""

from __future__ import annotations

from typing import Any

from tests.api.callers import Caller, Programs
from tests.web.company import mark
from tests.web.house import House

HERE = f"/api/v1/accounts/{mark(0)}-id"


def test_tasks_are_added_put_off_ticked_and_closed_together(own: House) -> None:
    client = Programs(own).client(Caller("owner", "act"))

    def added(**told: Any) -> int:
        answer = client.post(f"{HERE}/tasks", json={"title": "call", **told})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    one, two = added(checklist=["ask"]), added(among=["cleo", "dan"])
    assert client.get(f"/api/v1/tasks/{two}").json()["owner"] == "cleo"
    assert client.post(f"/api/v1/tasks/{one}/tick", json={"item": 1}).json()["what"] == "ticked"
    assert client.get(f"/api/v1/tasks/{one}").json()["checklist"][0]["done"] is True
    put_off = client.post("/api/v1/tasks/snooze", json={"tasks": [two, 10**6], "until": "2026-03-09"}).json()
    assert put_off == {"changed": [two], "refused": {str(10**6): f"no task {10**6}"}}
    told = client.get("/api/v1/tasks?whose=all").json()
    assert [item["id"] for item in told["items"]] == [one]
    assert told["counts"] == {"open": 1, "overdue": 0, "snoozed": 1}
    closed = client.post("/api/v1/tasks/close", json={"tasks": [one, two], "result": "called"}).json()
    assert closed == {"changed": [one, two], "refused": {}}
    (response, *_) = client.get("/api/v1/tasks/responses").json()["responses"]
    assert response["of"] == "all" and response["close"]["finished"] == 2
    assert response["touch"]["too_few"] is True and response["touch"]["median"] is None


def test_what_is_asked_for_in_two_ways_or_in_none_is_refused(own: House) -> None:
    client = Programs(own).client(Caller("owner", "act"))
    assert client.post(f"{HERE}/tasks", json={"title": "x", "owner": "a", "among": "blue"}).status_code == 409
    number = client.post(f"{HERE}/tasks", json={"title": "x", "among": "blue"}).json()["id"]
    for body in ({}, {"owner": "a", "among": "blue"}, {"among": "no such team"}):
        assert client.put(f"/api/v1/tasks/{number}/owner", json=body).status_code == 409, body
    assert client.post(f"/api/v1/tasks/{number}/snooze", json={"until": "2026-03-02"}).status_code == 409
    assert client.post("/api/v1/tasks/close", json={"tasks": []}).status_code == 422
    assert client.post("/api/v1/tasks/close", json={"tasks": ["1"]}).status_code == 422
