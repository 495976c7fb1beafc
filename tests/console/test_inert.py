"""What providers and people write is shown as text, whatever it is; bodies come out as they came in."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from ledger import cells, clock
from meshline.console import bodies
from tests import factories as f

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "{{ 7|add:7 }}",
    "javascript:alert(1)",
    "</textarea><svg/onload=alert(1)>",
    "x" * 10_000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_on_every_page(superuser, text):
    customer = f.CustomerFactory(name=text[:255], email=f"a@{text[:40]}", owner=text[:150])
    f.ContextFactory(
        customer=customer,
        blocks={text[:50]: {"synced_at": text, text[:60]: text, "invoices": [{"number": text, "status": text}]}},
    )
    contract = f.ContractFactory(
        customer=customer, plan=text[:64], dunning={text[:50]: {"first_failed": 1, "number": text, "currency": text}}
    )
    event = f.EventFactory(
        customer=customer, type=text[:120], object_id=text[:200], verdict=text[:300], last_error=text[:500]
    )
    f.EventBodyFactory(
        event_id=event.pk, raw=json.dumps({text: [text, {text: text}]}).encode(), headers={text[:80]: text}
    )
    action = f.ActionFactory(
        state="in_review",
        customer=customer,
        contract=contract,
        event=event,
        because=text[:500],
        target=text[:255],
        last_error=text[:500],
        preview=[{"system": text, "field": text, "now": text, "after": text + "2"}],
        answers=[{"rule": text, "verdict": text, "reason": text}],
        facts={text: text},
        confirmation={text: text},
        request={"provider": text, "method": text, "path": text, "headers": [[text, text]], "body": text},
    )
    item = f.ReviewItemFactory(
        action=action, sentence=text[:500], reason=text[:500], why=text[:60], kind=text[:60], owner_group=text[:80]
    )
    f.CommentFactory(item=item, text=text[:4000])
    f.LedgerRowFactory(
        action_id=action.pk,
        customer_id=customer.pk,
        reasons=[{"rule": text, "reason": text}],
        inputs={text: text},
        actor=text[:120],
    )
    f.AttemptFactory(
        action=action, path=text[:1000], request_body=text, response_body=text, request_id=text[:120], error=text[:60]
    )
    f.RefusalFactory(reason=text[:120], headers={text: text}, body_head=text.encode())
    f.ExternalIdFactory(customer=customer, value=text[:255], kind=text[:32], url="javascript:alert(1)")

    for record in (customer, contract, event, action, item):
        name = f"admin:{record._meta.app_label}_{record._meta.model_name}"
        for address in (reverse(f"{name}_change", args=[record.pk]), reverse(f"{name}_changelist")):
            page = superuser.get(address).content.decode()
            for raw in ("<script>alert", "<img src=x", "<svg/onload", 'href="javascript:', "\u202e"):
                assert raw not in page, (address, raw)
    for name in ("ledger_ledgerrow", "sync_attempt", "sync_refusal"):
        page = superuser.get(reverse(f"admin:{name}_changelist")).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


def test_an_oversized_text_does_not_make_an_oversized_list(superuser):
    for _ in range(20):
        f.CustomerFactory(name="x" * 255)

    assert len(superuser.get(reverse("admin:ledger_customer_changelist")).content) < 120_000


def test_addresses_are_masked_without_the_right_to_bodies(support, resolver):
    customer = f.CustomerFactory(email="ada.lovelace@initech.example")
    event = f.EventFactory(customer=customer)
    body = f.EventBodyFactory(
        event_id=event.pk,
        raw=b'{"email": "ada.lovelace@initech.example", "note": "mail ada.lovelace@initech.example"}',
    )
    pages = [
        reverse("admin:ledger_customer_change", args=[customer.pk]),
        reverse("admin:ledger_event_change", args=[event.pk]),
    ]
    raw = reverse("admin:event_body", args=[event.pk, body.pk])

    assert all("ada.lovelace" not in support.get(page).content.decode() for page in pages)
    assert "a***@initech.example" in support.get(pages[0]).content.decode()
    assert support.get(raw).status_code == 403
    assert all("ada.lovelace@initech.example" in resolver.get(page).content.decode() for page in pages)


def test_exact_bytes_come_out_as_a_file_of_plain_text(resolver):
    body = f.EventBodyFactory(raw=b'{"n": 1.50, "n": 2}\n\xff<script>')
    address = reverse("admin:event_body", args=[body.event_id, body.pk])

    answer, as_hex = resolver.get(address), resolver.get(f"{address}?as=hex")

    assert answer.content == b'{"n": 1.50, "n": 2}\n\xff<script>'
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert as_hex.content.startswith(b"00000000  7b 22 6e")
    assert resolver.get(reverse("admin:event_body", args=[body.event_id + 1, body.pk])).status_code == 404


def test_a_tree_keeps_repeated_names_and_every_digit():
    nodes, note = bodies.read(b'{"a": 123456789012345678901234567890, "a": 1.50, "b": [{"c": null}]}', mask=False)

    assert [(node.path, node.value) for node in nodes] == [
        ("a", "123456789012345678901234567890"),
        ("a", "1.50"),
        ("b", "1 entry"),
        ("b.0", "1 member"),
        ("b.0.c", "null"),
    ]
    assert note == ""


@pytest.mark.parametrize("raw", [b"", b"[" * 100_000, b"\xff\xfe", b'{"a": 1', b"[" + b"1," * 50_000 + b"1]"])
def test_no_body_breaks_the_viewer(raw):
    nodes, note = bodies.read(raw, mask=True)

    assert len(nodes) <= bodies.MOST_NODES
    assert note


def test_differing_members_are_found():
    trees = [bodies.read(raw, mask=False)[0] for raw in (b'{"a": 1, "b": 2}', b'{"a": 1, "b": 3, "c": 4}')]

    assert bodies.differing(trees) == {("b", "2"), ("b", "3"), ("c", "4")}


@pytest.mark.parametrize(
    ("minutes", "words", "urgency"),
    [
        (8, "8m left", "soon"),
        (185, "3h 05m left", "fine"),
        (51 * 60, "2d 3h left", "fine"),
        (-12, "late 12m", "late"),
        (-200, "late 3h 20m", "late"),
        (-60 * 24 * 3, "late 3d 0h", "late"),
    ],
)
def test_due_times_in_words(minutes, words, urgency):
    now = clock.now()

    assert cells.left(now + timedelta(minutes=minutes), now) == (words, urgency)


def test_what_is_late_for_weeks_says_only_since_when():
    now = clock.now()
    words, urgency = cells.left(now - timedelta(days=60), now)

    assert words.startswith("late since ")
    assert urgency == "old"
