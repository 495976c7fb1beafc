"""The Zendesk simulator: comments that double, safe updates, keys of creation, error shapes."""

import time

import pytest
import requests


def new_ticket(client, **fields):
    data = {"ticket": {"subject": "Payment failed", "comment": {"body": "x", "public": False}, **fields}}
    return client.zendesk("POST", "/tickets", data=data).json()["ticket"]


def note(client, ticket, text, **fields):
    data = {"ticket": {"comment": {"body": text, "public": False}, **fields}}
    return client.zendesk("PUT", f"/tickets/{ticket['id']}", data=data)


def test_creation_is_kept_under_its_key(client):
    data = {"ticket": {"subject": "A", "comment": {"body": "x"}, "external_id": "meshline:act-1"}}

    first = client.zendesk("POST", "/tickets", data=data, Idempotency_Key="k1")
    second = client.zendesk("POST", "/tickets.json", data=data, Idempotency_Key="k1")
    data["ticket"]["subject"] = "B"
    other = client.zendesk("POST", "/tickets", data=data, Idempotency_Key="k1")

    assert (first.status_code, first.headers["x-idempotency-lookup"]) == (201, "miss")
    assert (second.status_code, second.headers["x-idempotency-lookup"]) == (201, "hit")
    assert second.json() == first.json()
    assert (other.status_code, other.json()["error"]) == (400, "IdempotentRequestError")
    assert client.get("/_books/zendesk/effects-by-action") == {"act-1": 1}


def test_a_key_is_forgotten_after_two_hours(client):
    data = {"ticket": {"subject": "A", "comment": {"body": "x"}, "external_id": "e-1"}}
    client.zendesk("POST", "/tickets", data=data, Idempotency_Key="k1")
    client.post("/_clock", advance_s=7201)

    again = client.zendesk("POST", "/tickets", data=data, Idempotency_Key="k1")

    assert again.headers["x-idempotency-lookup"] == "miss"
    assert len(client.zendesk("GET", "/tickets?external_id=e-1").json()["tickets"]) == 2


def test_a_repeated_update_doubles_the_comment(client):
    ticket = new_ticket(client)

    for _ in range(2):
        note(client, ticket, "Handoff\n\n[meshline:act-2]")

    comments = client.zendesk("GET", f"/tickets/{ticket['id']}/comments?sort_order=desc").json()["comments"]
    assert [comment["body"] for comment in comments] == ["Handoff\n\n[meshline:act-2]"] * 2 + ["x"]
    assert client.get("/_books/zendesk/effects-by-action") == {"act-2": 2}


def test_a_safe_update_refuses_a_stale_stamp(client):
    ticket = new_ticket(client)
    client.post("/_clock", advance_s=2)
    safe = {"safe_update": True, "updated_stamp": ticket["updated_at"]}

    first = note(client, ticket, "one", **safe)
    second = note(client, ticket, "one", **safe)
    tags = client.zendesk("PUT", f"/tickets/{ticket['id']}/tags", data={"tags": ["t"], **safe, "safe_update": "true"})

    assert (first.status_code, second.status_code, tags.status_code) == (200, 409, 409)
    assert second.json()["error"] == "UpdateConflict"
    assert len(client.writes("zendesk")) == 2


def test_two_safe_updates_within_one_second_slip_through(client):
    client.post("/_clock", offset_s=int(time.time()) + 1 - time.time())
    ticket = new_ticket(client)
    safe = {"safe_update": True, "updated_stamp": ticket["updated_at"]}

    assert [note(client, ticket, "one", **safe).status_code for _ in range(2)] == [200, 200]


def test_tags_are_replaced_by_a_ticket_update_and_added_by_the_tags_call(client):
    ticket = new_ticket(client, tags=["a", "b"])

    added = client.zendesk("PUT", f"/tickets/{ticket['id']}/tags", data={"tags": ["c"]})
    replaced = client.zendesk("PUT", f"/tickets/{ticket['id']}", data={"ticket": {"tags": ["z"]}})

    assert added.json()["tags"] == ["a", "b", "c"]
    assert replaced.json()["ticket"]["tags"] == ["z"]


def test_metadata_of_a_comment_names_the_action(client):
    ticket = new_ticket(client)

    note(client, ticket, "no marker", metadata={"custom": {"meshline_action": "act-3"}})

    comment = client.zendesk("GET", f"/tickets/{ticket['id']}/comments").json()["comments"][-1]
    assert comment["metadata"]["custom"] == {"meshline_action": "act-3"}
    assert client.get("/_books/zendesk/effects-by-action") == {"act-3": 1}


def test_a_closed_ticket_cannot_be_changed(client):
    ticket = new_ticket(client)
    client.play("zendesk", "set_status", ticket=ticket["id"], status="closed")

    answer = note(client, ticket, "late")

    assert (answer.status_code, answer.json()["error"]) == (422, "RecordInvalid")
    assert answer.json()["details"]["status"][0]["description"] == "Status: closed prevents ticket update"


def test_updates_of_one_ticket_are_limited(client):
    ticket = new_ticket(client)
    client.play("zendesk", "set_options", update_limit=2)

    answers = [note(client, ticket, str(number)) for number in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 500


def test_both_shapes_of_an_error_occur(client):
    client.faults("zendesk", {"kind": "error_before", "path": "/api/v2/tickets/2", "status": 503, "retry_after": 7})

    as_text = client.zendesk("GET", "/tickets/1")
    as_object = client.zendesk("GET", "/tickets/2")

    assert (as_text.status_code, as_text.json()["error"]) == (404, "RecordNotFound")
    assert (as_object.status_code, as_object.json()["error"]["title"]) == (503, "Internal Server Error")
    assert as_object.headers["Retry-After"] == "7"
    assert client.zendesk("GET", "/tickets/1", Authorization="Basic eDp5").json() == {
        "error": "Couldn't authenticate you"
    }


def test_the_change_feed_goes_on_from_its_cursor(client):
    first = new_ticket(client)
    page = client.zendesk("GET", "/incremental/tickets/cursor?start_time=0").json()
    second = new_ticket(client)

    rest = client.zendesk("GET", f"/incremental/tickets/cursor?cursor={page['after_cursor']}").json()

    assert [ticket["id"] for ticket in page["tickets"]] == [first["id"]]
    assert [ticket["id"] for ticket in rest["tickets"]] == [second["id"]]
    assert rest["end_of_stream"] is True


def test_lost_answer_is_an_effect(client):
    ticket = new_ticket(client)
    client.faults("zendesk", {"kind": "lost_answer", "method": "PUT", "reset": True})

    with pytest.raises(requests.ConnectionError):
        note(client, ticket, "[meshline:act-4]")

    assert client.get("/_books/zendesk/effects-by-action") == {"act-4": 1}
