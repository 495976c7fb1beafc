"""Whatever is sent, the answer is a sentence of the 4xx kind, and nothing changes."""

import json
from urllib.parse import quote

import pytest

from gates.models import Comment, ReviewItem, StopSwitch
from ledger.models import Action, Event, LedgerRow
from tests.api.client import by_session, error
from tests.factories import ContractFactory, CustomerFactory, EventFactory
from tests.people.cast import item_in

pytestmark = pytest.mark.django_db
APPROVE = {"reason": "fine", "state_version": 0, "preview_hash": "x"}


@pytest.fixture
def caller():
    StopSwitch.objects.get_or_create(scope="all")
    return by_session()


def unchanged():
    return not (
        LedgerRow.objects.exists()
        or Comment.objects.exists()
        or ReviewItem.objects.exclude(state="open").exists()
        or Action.objects.exclude(state="in_review").exists()
        or Event.objects.exclude(state="parked").exists()
    )


BODIES = {
    "over the limit": b'{"text": "' + b"x" * 1_048_600 + b'"}',
    "not JSON": b"{",
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "a text": b'"x"',
    "not UTF-8": b'{"text": "\xff"}',
    "deep": b'{"text": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "huge number": b'{"state_version": ' + b"9" * 5000 + b"}",
    "beyond a column": b'{"state_version": 99999999999999999999}',
    "NaN": b'{"state_version": NaN}',
    "NUL": b'{"text": "a\\u0000b", "reason": "a\\u0000b"}',
    "half a character": b'{"text": "\\ud800", "reason": "\\ud800"}',
    "a member twice": b'{"reason": "a", "reason": "b"}',
    "NUL as a name": b'{"a\\u0000": 1}',
    "empty name": b'{"": 1}',
    "unknown member": b'{"shoe": 1}',
    "prototype": b'{"__proto__": {"is_superuser": true}}',
    "fraction": b'{"state_version": 1.5}',
    "bool for number": b'{"state_version": true}',
    "number for text": b'{"reason": 5, "text": 5, "step": 5, "kind": 5, "scope": 5}',
    "object for text": b'{"reason": {}, "text": {}, "step": {}, "kind": {}, "scope": {}}',
    "null for text": b'{"reason": null, "text": null, "step": null, "kind": null, "scope": null}',
}
PATHS = (
    "review-items/{item}/comment/", "review-items/{item}/approve/", "review-items/{item}/reject/",
    "review-items/{item}/snooze/", "review-items/{item}/assign/", "review-items/{item}/edit/", "review-items/next/",
    "actions/{action}/approve/", "actions/{action}/rollback/", "actions/", "actions/preview/",
    "events/{event}/replay/", "stop/", "stop/resume/", "customers/{customer}/refresh/",
)  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
def test_no_body_breaks_anything(caller, case):
    item, event, customer = item_in(), EventFactory(state="parked"), CustomerFactory()
    at = {"item": item.pk, "action": item.action_id, "event": event.pk, "customer": customer.external_id}

    answers = {path: caller.raw(path.format(**at), BODIES[case]) for path in PATHS}

    assert {path: one.status_code for path, one in answers.items() if one.status_code not in (400, 413, 422)} == {}
    assert all(error(one) for one in answers.values())
    assert unchanged()


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/xml", ""],
)
def test_only_json_is_read(caller, content_type):
    item = item_in()

    answer = caller.raw(f"review-items/{item.pk}/claim/", b"reason=x", content_type)

    assert error(answer) == (415, "media_type", "")
    assert unchanged()


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"reason": ""}, "reason", "a text of 1 to 500 characters"),
        ({"reason": "x" * 501}, "reason", "a text of 1 to 500 characters"),
        ({"state_version": -1}, "state_version", "a whole number from 0 to 2147483647"),
        ({"state_version": 2**31}, "state_version", "a whole number from 0 to 2147483647"),
        ({"state_version": "0"}, "state_version", "a whole number from 0 to 2147483647"),
        ({"preview_hash": "x" * 65}, "preview_hash", "a text of 0 to 64 characters"),
        ({"preview_hash": 0}, "preview_hash", "a text of 0 to 64 characters"),
        ({"state": "approved"}, "state", "known are state_version, reason, preview_hash"),
    ],
)
def test_a_wrong_field_is_named_with_its_limit(caller, change, field, said):
    item = item_in()

    answer = caller.post(f"review-items/{item.pk}/approve/", {**APPROVE, **change})

    assert error(answer)[0::2] == (422, field)
    assert said in answer.json()["error"]["message"]
    assert unchanged()


@pytest.mark.parametrize("missing", APPROVE)
def test_a_missing_field_is_named(caller, missing):
    answer = caller.post(f"review-items/{item_in().pk}/approve/", {k: v for k, v in APPROVE.items() if k != missing})

    assert error(answer) == (422, "field", missing)
    assert "is required" in answer.json()["error"]["message"]


QUERIES = (
    "owner__password__startswith=p", "customer__email=a", "state=nonsense", "limit=0", "limit=201", "limit=x",
    "limit=1e3", "limit=-1", "before=x", "before=99999999999999999999", "after=-1", "before=5&after=5",
    "limit=5&limit=6", "format=api", "q=%00", "correlation_id=x", "customer=%00", "action=5", "page=2",
    "fields=password", "ordering=password", "kind=%F0%9F%92%A9" + "x" * 300, "before=9223372036854775808",
    "limit=%D9%A5",
)  # fmt: skip


LISTS = ("customers/", "events/", "actions/", "review-items/", "ledger/", "gates/", "runbooks/")


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    "path", ["customers/", "events/", "actions/", "review-items/", "ledger/", "gates/", "runbooks/"]
)
def test_no_parameter_reaches_beyond_the_list(caller, path, query):
    answer = caller.browser.get(f"/api/v1/{path}?{query}")

    if answer.status_code == 200:  # a parameter this list does have, with a value that nothing has
        assert query.split("=")[0] in ("kind", "q")
        assert answer.json()["results"] == []
    else:
        assert error(answer)[0] == 422


@pytest.mark.parametrize(
    "path",
    [
        "events/0/", "events/99999999999999999999999/", "events/9223372036854775808/", "review-items/0/",
        "review-items/99999999999999999999/", "actions/0192f000-0000-7000-8000-000000000000/", "actions/x/",
        "customers/nobody/context/", "customers/%00/context/", "customers/a%00b/timeline/", "events/-1/", "events/1e3/",
        "review-items/٣/", "nothing/", "customers", "../admin/", f"customers/{'x' * 3000}/context/",
    ],
)  # fmt: skip
def test_an_unknown_address_is_unknown(caller, path):
    answer = caller.browser.get(f"/api/v1/{quote(path, safe='/%.')}")

    assert error(answer)[0] == 404


@pytest.mark.parametrize("verb", ["claim", "approve", "edit", "comment"])
def test_a_verb_on_nothing_is_unknown(caller, verb):
    body = {"claim": None, "approve": APPROVE, "comment": {"text": "x"}}.get(
        verb, {"params": {}, "reason": "x", "state_version": 0}
    )

    assert caller.post(f"review-items/999999/{verb}/", body).status_code == 404
    assert caller.post(f"review-items/{10**30}/{verb}/", body).status_code == 404


def test_other_methods_are_refused(caller):
    item = item_in()

    for method in ("PUT", "PATCH", "DELETE", "TRACE"):
        answer = caller.raw(f"review-items/{item.pk}/", b"{}", method=method)
        assert error(answer) == (405, "method", ""), method
    assert unchanged()


def test_a_verb_in_a_header_or_field_changes_no_method(caller):
    item = item_in()

    answer = caller.browser.get(f"/api/v1/review-items/{item.pk}/claim/", headers={"X-HTTP-Method-Override": "POST"})

    assert answer.status_code == 405
    assert unchanged()


def test_html_is_not_offered(caller):
    answer = caller.browser.get("/api/v1/customers/", headers={"Accept": "text/html"})

    assert answer.status_code == 406
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\u202egnp.exe", "&lt;"]
)
def test_text_of_others_is_inert(caller, text):
    CustomerFactory(name=text)
    item = item_in()
    ReviewItem.objects.filter(pk=item.pk).update(sentence=text)

    for path in ("customers/", f"review-items/{item.pk}/", "review-items/"):
        answer = caller.get(path)
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Cache-Control"] == "no-store"
        assert not set(b"<>&\xe2") & set(answer.content)
        assert text in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')


def test_an_amount_in_a_currency_that_does_not_exist_asks_nobody(caller):
    contract = ContractFactory()

    answer = caller.post(
        "actions/",
        {"kind": "payment.refund", "contract": contract.external_id, "reason": "x",
         "params": {"payment": "ch_1", "amount_minor": 100, "currency": "xxx", "reason": "duplicate"}},
    )  # fmt: skip

    assert answer.status_code in (409, 422)
    assert not Action.objects.exists()
