"""The Pipedrive simulator: codes and types, strictness, limits, webhooks with their bans, merges."""

import base64
import json
import re

import pytest

from sync.sandbox import keys


def deal(client, **params):
    return client.play("pipedrive", "create_deal", **params)["deal"]


def shown(client, number):
    return client.pipedrive("GET", f"/api/v2/deals/{number}").json()["data"]


def patch(client, number, **body):
    return client.pipedrive("PATCH", f"/api/v2/deals/{number}", data=body)


def code_of(client, name):
    listed = client.pipedrive("GET", "/api/v2/dealFields?limit=500").json()["data"]
    return next(one for one in listed if one["field_name"] == name)


def webhook(client):
    return client.get("/_books/pipedrive?only=objects")["objects"]["webhook"]


@pytest.fixture
def hooked(client, receiver):
    """Webhooks go to the receiver, with the waits of retries a thousandth of theirs."""
    client.post("/_webhooks", pipedrive={"url": receiver.url, "options": {"time_scale": 0.001}})
    return receiver


def documents(hooked, count):
    return [json.loads(body) for _, body in hooked.wait(count)]


# --- the company's own set-up


def test_codes_are_forty_hex_and_differ_by_company(client):
    codes = {}
    for seed in (1, 2, 1):
        client.post("/_reset", seed=seed)
        codes.setdefault(seed, []).append(code_of(client, "CSM")["field_code"])

    assert all(re.fullmatch(r"[0-9a-f]{40}", code) for found in codes.values() for code in found)
    assert codes[1][0] == codes[1][1] != codes[2][0]


def test_webhooks_type_custom_values_and_the_api_does_not(client, hooked):
    number = deal(client, fields={"Billing status": "Blocked"})
    field = code_of(client, "Billing status")
    option = next(one["id"] for one in field["options"] if one["label"] == "Blocked")

    plain = shown(client, number)
    told = next(one for one in documents(hooked, 3) if one["meta"]["entity"] == "deal")

    assert plain["custom_fields"][field["field_code"]] == option
    assert told["data"]["custom_fields"][field["field_code"]] == {"type": "enum", "id": option}
    assert (plain["visible_to"], told["data"]["visible_to"]) == (3, "3")
    assert (told["data"]["id"], told["meta"]["entity_id"]) == (number, str(number))
    assert "is_deleted" not in told["data"]


# --- strictness


@pytest.mark.parametrize(
    "body",
    [
        {"stage_id": "428"}, {"nonsense": 1}, {"label_ids": [999]}, {"stage_id": 1}, {"status": "signed"},
        {"custom_fields": {"f" * 40: "x"}}, {"value": True}, {"title": None}, {"custom_fields": []}, {"org_id": 999},
    ],
)  # fmt: skip
def test_version_2_is_strict(client, body):
    number = deal(client)

    answer = patch(client, number, **body)

    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert client.writes("pipedrive") == []


def test_values_must_fit_their_field(client):
    number = deal(client)
    cases = [("Products", []), ("CSM", "12"), ("First value date", "soon"), ("Billing status", 1), ("Seats", "3")]
    statuses = [
        patch(client, number, custom_fields={code_of(client, name)["field_code"]: value}).status_code
        for name, value in cases
    ]

    assert statuses == [400] * 5
    assert patch(client, number, custom_fields={code_of(client, "Products")["field_code"]: None}).status_code == 200


def test_labels_are_replaced_and_other_values_stay(client):
    number = deal(client)
    labels = [one["id"] for one in code_of(client, "Label")["options"]]
    package = code_of(client, "Onboarding package code")["field_code"]

    patch(client, number, label_ids=labels[:2])
    answer = patch(client, number, label_ids=labels[2:])

    assert answer.json()["data"]["label_ids"] == labels[2:]
    assert answer.json()["data"]["custom_fields"][package] == "PKG-GROWTH"


def test_the_old_generation_is_gone_except_for_what_has_no_new_one(client):
    paths = ("/api/v1/deals", "/v1/persons/1", "/api/v1/stages", "/api/v1/users/me", "/v1/notes", "/api/v1/webhooks")
    assert [client.pipedrive("GET", path).status_code for path in paths] == [410, 410, 410, 200, 200, 200]


def test_a_note_repeated_is_a_second_note(client):
    number = deal(client)
    for _ in range(2):
        client.pipedrive("POST", "/api/v1/notes", data={"deal_id": number, "content": "x [meshline:7]"})

    assert len(client.pipedrive("GET", f"/api/v1/notes?deal_id={number}").json()["data"]) == 2
    assert client.get("/_books/pipedrive/effects-by-action") == {"7": 2}


def test_archived_deals_are_hidden_and_cannot_be_changed_and_deleted_ones_are_a_status(client):
    archived, deleted, usual = deal(client), deal(client), deal(client)
    client.play("pipedrive", "archive_deal", deal=archived)
    client.play("pipedrive", "delete_deal", deal=deleted)

    lists = [
        [one["id"] for one in client.pipedrive("GET", f"/api/v2/deals{query}").json()["data"]]
        for query in ("", "/archived", "?status=deleted")
    ]

    assert lists == [[usual], [archived], [deleted]]
    assert patch(client, archived, value=1).status_code == 403
    assert (patch(client, deleted, value=1).status_code, shown(client, deleted)["is_deleted"]) == (404, True)


def test_pages(client):
    numbers = [deal(client) for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        query = f"/api/v2/deals?limit=2&sort_by=update_time&cursor={cursor}"
        page = client.pipedrive("GET", query).json()
        found += [one["id"] for one in page["data"]]
        cursor = page["additional_data"]["next_cursor"]

    assert found == numbers
    assert client.pipedrive("GET", "/api/v2/deals?limit=501").status_code == 400
    assert client.pipedrive("GET", "/api/v2/deals?updated_after=x").status_code == 400


# --- sign-in and limits


def test_who_is_let_in(client):
    assert client.pipedrive("GET", "/api/v1/users/me", x_api_token="wrong").status_code == 401
    assert (
        client.pipedrive("GET", f"/api/v1/users/me?api_token={keys.PIPEDRIVE_API_TOKEN}", x_api_token="").status_code
        == 401
    )

    def grant(refresh):
        pair = base64.b64encode(f"{keys.PIPEDRIVE_CLIENT_ID}:{keys.PIPEDRIVE_CLIENT_SECRET}".encode()).decode()
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        url = f"{client.url}/pipedrive/oauth/token"
        return client.session.post(url, data=form, headers={"Authorization": f"Basic {pair}"}, timeout=30)

    token = grant(keys.PIPEDRIVE_REFRESH_TOKEN).json()["access_token"]

    def ask():
        return client.pipedrive("GET", "/api/v1/users/me", x_api_token="", Authorization=f"Bearer {token}").status_code

    before = ask()
    client.post("/_clock", advance_s=3601)
    assert (before, ask(), grant("other").status_code) == (200, 401, 400)


@pytest.mark.parametrize(
    ("method", "path", "tokens"),
    [
        ("GET", "/api/v2/deals/{}", 1), ("GET", "/api/v2/deals", 10), ("GET", "/api/v2/deals/archived", 20),
        ("GET", "/api/v2/stages", 5), ("GET", "/api/v2/dealFields", 10), ("PATCH", "/api/v2/deals/{}", 5),
        ("GET", "/api/v1/users/me", 2), ("GET", "/api/v1/notes", 20), ("GET", "/api/v1/webhooks", 10),
        ("POST", "/api/v1/notes", 10), ("DELETE", "/api/v2/deals/{}", 3),
    ],
)  # fmt: skip
def test_what_a_call_costs(client, method, path, tokens):
    number = deal(client)
    answer = client.pipedrive(method, path.format(number), data={} if method in ("PATCH", "POST") else None)
    left = int(answer.headers["x-daily-ratelimit-token-remaining"])
    assert int(answer.headers["x-daily-ratelimit-token-limit"]) - left == tokens


def test_a_spent_day_refuses_everything_until_midnight(client):
    number = deal(client)
    client.play("pipedrive", "set_options", daily=100, spent=99)

    answers = [client.pipedrive("GET", f"/api/v2/deals/{number}") for _ in range(2)]
    client.post("/_clock", advance_s=86_400)

    assert [one.status_code for one in answers] == [200, 429]
    assert answers[1].headers["x-daily-ratelimit-token-remaining"] == "0"
    assert client.pipedrive("GET", f"/api/v2/deals/{number}").status_code == 200


def test_a_burst_is_refused_and_who_does_not_stop_gets_html(client):
    number = deal(client)
    client.play("pipedrive", "set_options", burst=2, block_after=3)

    answers = [client.pipedrive("GET", f"/api/v2/deals/{number}") for _ in range(6)]

    assert [one.status_code for one in answers] == [200, 200, 429, 429, 403, 403]
    assert answers[2].headers["x-ratelimit-remaining"] == "0"
    assert "html" in answers[4].headers["Content-Type"]


# --- webhooks


def test_a_move_says_what_changed_and_who_did_it(client, hooked):
    number = deal(client)
    client.play("pipedrive", "move_stage", deal=number)
    patch(client, number, value=1)

    moved, ours = documents(hooked, 5)[3:]

    assert (moved["meta"]["action"], moved["previous"], moved["data"]["stage_id"]) == ("change", {"stage_id": 427}, 428)
    assert (moved["meta"]["change_source"], ours["meta"]["change_source"]) == ("app", "api")
    assert (ours["meta"]["user_id"], ours["meta"]["version"]) == (str(keys.PIPEDRIVE_USER_ID), "2.0")


def test_credentials_and_their_absence(client, hooked):
    deal(client)
    headers, _ = hooked.wait(3)[0]
    client.post("/_webhooks", pipedrive={"secrets": []})
    deal(client)

    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode() == keys.PIPEDRIVE_WEBHOOK_SECRET
    assert "authorization" not in hooked.wait(6)[-1][0]


def test_a_failed_delivery_is_retried_three_times_and_counts_its_attempts(client, hooked):
    hooked.statuses = [500] * 4
    client.play("pipedrive", "create_org", name="Northwind")
    client.post("/_webhooks/flush")

    told = documents(hooked, 4)

    assert [one["meta"]["attempt"] for one in told] == [1, 2, 3, 4]
    assert len({one["meta"]["id"] for one in told}) == 1
    assert (len(hooked.deliveries), webhook(client)["failures"]) == (4, 1)


def test_ten_failed_first_attempts_bring_a_ban_and_its_events_are_lost(client, hooked):
    hooked.statuses = [500] * 40
    for number in range(10):
        client.play("pipedrive", "create_org", name=f"Org {number}")
    client.post("/_webhooks/flush", timeout_s=20)
    hooked.statuses = []
    before = len(hooked.deliveries)

    client.play("pipedrive", "create_org", name="Lost")
    client.post("/_webhooks/flush")
    banned = webhook(client)
    client.post("/_clock", advance_s=1801)
    client.play("pipedrive", "create_org", name="Told")
    client.post("/_webhooks/flush")

    assert (before, banned["is_banned"], banned["bans"], len(banned["lost"])) == (40, True, 1, 1)
    assert [json.loads(body)["data"]["name"] for _, body in hooked.deliveries[before:]] == ["Told"]


def test_three_days_without_success_remove_the_webhook(client, hooked):
    made = {"subscription_url": hooked.url, "event_action": "*", "event_object": "*", "name": "all",
            "http_auth_user": "a", "http_auth_password": "b"}  # fmt: skip
    assert client.pipedrive("POST", "/api/v1/webhooks", data={}).status_code == 400
    assert client.pipedrive("POST", "/api/v1/webhooks", data=made).status_code == 201
    hooked.statuses = [500] * 4
    client.play("pipedrive", "create_org", name="x")
    client.post("/_webhooks/flush")
    client.post("/_clock", advance_s=3 * 86_400 + 1)
    client.play("pipedrive", "create_org", name="y")

    listed = client.pipedrive("GET", "/api/v1/webhooks").json()["data"]

    assert (listed[0]["is_active"], listed[0]["last_http_status"]) == (0, 500)
    assert len(webhook(client)["lost"]) == 1


def test_doubled_and_reordered_deliveries(client, hooked):
    client.faults("pipedrive", {"kind": "hook_duplicate", "type": "organization"})
    client.play("pipedrive", "create_org", name="x")

    told = documents(hooked, 2)

    assert told[0] == told[1]


def test_a_merge_is_told_from_both_sides_and_takes_the_deals_along(client, hooked):
    first, second = (client.play("pipedrive", "create_deal") for _ in range(2))
    client.play("pipedrive", "merge_orgs", org=first["organization"], into=second["organization"])

    told = documents(hooked, 10)[6:]

    moved, gone, kept = told[1], told[2]["meta"], told[3]["meta"]
    assert (moved["meta"]["entity"], moved["previous"]) == ("deal", {"org_id": first["organization"]})
    assert (gone["action"], gone["merged_to_id"]) == ("delete", str(second["organization"]))
    assert (kept["action"], kept["merged_from_id"]) == ("change", str(first["organization"]))
    assert (told[2]["data"], told[2]["previous"]["name"]) == (None, "Northwind onboarding")
    assert shown(client, first["deal"])["org_id"] == second["organization"]


def test_a_bulk_edit_is_one_event_each(client, hooked):
    numbers = [deal(client) for _ in range(3)]
    client.play("pipedrive", "bulk_edit", deals=numbers, stage="Contract Signed")

    told = documents(hooked, 12)[9:]

    assert [one["meta"]["entity_id"] for one in told] == [str(number) for number in numbers]
    assert all(one["meta"]["is_bulk_edit"] for one in told)


def test_what_play_refuses(client):
    def say(verb, **params):
        return client.session.post(f"{client.url}/_play/pipedrive/{verb}", json=params, timeout=30)

    answers = [say("move_stage"), say("move_stage", deal=1), say("create_deal", stage="Nowhere"), say("fly")]
    answers.append(say("create_deal", fields={"Nonsense": 1}))
    assert [one.status_code for one in answers] == [400] * 5
