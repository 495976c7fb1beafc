"""The handoff page: everything for the decision is on it, true, and in a fixed number of queries."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils.html import strip_tags

from gates.models import Presence, ReviewItem
from ledger import clock
from ledger.models import Action, ContextRecord, LedgerRow
from sync import refresh
from tests import factories as f
from tests.console import items
from tests.console.items import page_of

MOST_QUERIES = 14


def html(client, item, query=""):
    answer = client.get(page_of(item, query))
    assert answer.status_code == 200
    return answer.content.decode()


def blocks(client, item, query=""):
    page = client.get(page_of(item, query)).context["page"]
    return {one.title: one for one in (*page.main, *page.side)}


def test_the_sentence_says_what_for_whom_and_why_a_person_is_asked(resolver):
    shown = html(resolver, items.item())

    assert "Suspend contract: invoice INV-1 failed and stays unpaid." in shown
    assert "The automation dunning asks." in shown
    assert "A person is asked because" in shown
    assert "the customer disputes a payment" in shown


def test_the_page_is_drawn_in_a_fixed_number_of_queries(resolver, monkeypatch):
    item = items.item()
    for number in range(15):
        f.CommentFactory(item=item, text=f"remark {number}")
        f.AttemptFactory(action=item.action)
        items.item(contract=item.action.contract, business_key=f"invoice:in_{number}", target=f"t{number}")
    resolver.get(page_of(item))

    with items.counted(monkeypatch) as seen:
        assert resolver.get(page_of(item)).status_code == 200

    assert len(seen) <= MOST_QUERIES, "\n".join(seen)


def test_a_money_item_of_two_people_keeps_to_the_same_limit(resolver, monkeypatch):
    item = items.item(people=2, kind="payment.refund", amount_minor=30_000, currency="usd")
    f.ApprovalFactory(action=item.action, item=item)
    resolver.get(page_of(item))

    with items.counted(monkeypatch) as seen:
        assert resolver.get(page_of(item)).status_code == 200

    assert len(seen) <= MOST_QUERIES, "\n".join(seen)


def test_what_the_provider_refused_is_said_at_the_top(resolver):
    shown = html(resolver, items.item("failed", last_error="400: The tax id of the customer is missing"))

    assert "What went wrong" in shown
    assert "The tax id of the customer is missing" in shown
    assert "same bytes under the same key" in shown


def test_gates_show_the_value_that_was_compared_and_the_version(resolver):
    block = blocks(resolver, items.item())["Rules and gates"]

    asking = block.data["asking"][0]
    assert asking["name"] == "Open dispute"
    assert asking["version"] == 1
    words = strip_tags(asking["values"])
    assert words == "open disputes of the customer 1 (over 0)"
    assert [one["name"] for one in block.data["passing"]] == ["Safety window"]


def test_amounts_are_compared_in_the_currency_of_the_action(resolver):
    limits = {"usd": 50000, "jpy": 7_500_000}
    f.GateVersion.objects.filter(name="refund-limit").delete()
    f.GateVersionFactory(
        name="refund-limit", title="Refund limit", rows=[{"field": "amount_30d", "op": "over", "value": limits}]
    )
    item = items.item(
        amount_minor=8_000_000, currency="jpy", kind="payment.refund",
        facts={"amount_30d_minor": 8_000_000}, answers=[items.answer("refund-limit", "review_two")],
    )  # fmt: skip

    block = blocks(resolver, item)["Rules and gates"]
    snapshot = dict(blocks(resolver, item)["Entitlement snapshot"].data["pairs"])

    assert "8,000,000 JPY" in str(block.data["asking"][0]["values"])
    assert "7,500,000 JPY" in str(block.data["asking"][0]["values"])
    assert "7,500,000 JPY" in str(snapshot["Refunds in 30 days"])
    assert "is-bad" in str(snapshot["Refunds in 30 days"])


def test_approvals_so_far_are_named_and_voided_ones_counted(resolver):
    item = items.item(people=2)
    f.ApprovalFactory(action=item.action, item=item, by=f.UserFactory(username="miguel"), reason="dup")
    f.ApprovalFactory(action=item.action, item=item, voided_at=clock.now(), reason="before the edit")

    said = resolver.get(page_of(item)).context["page"].more["approvals"]

    assert said.startswith("1 of 2 approvals: miguel ")
    assert "(dup)" in said
    assert "1 earlier ended because what was shown changed" in said
    assert "before the edit" not in said


def test_the_snapshot_says_how_old_each_source_is(resolver):
    fresh = items.item()
    old = items.item(contract=items.customer(read_ago=timedelta(hours=3)))

    block = blocks(resolver, fresh)["Entitlement snapshot"]
    ages = " ".join(map(str, block.data["ages"]))
    late = blocks(resolver, old)["Entitlement snapshot"]

    assert "Stripe 38 s" in ages
    assert "is-stale" not in ages
    assert not block.data["stale"]
    assert all("is-stale" in str(one) and "too old" in str(one) for one in late.data["ages"])
    assert late.data["stale"]


def test_the_snapshot_shows_invoices_disputes_tenure_and_the_next_try(resolver):
    block = blocks(resolver, items.item())["Entitlement snapshot"]
    pairs = {name: str(value) for name, value in block.data["pairs"]}

    assert [(str(one["number"]), one["open"]) for one in block.data["invoices"]] == [
        ('<bdi class="theirs">INV-1</bdi>', True), ('<bdi class="theirs">INV-0</bdi>', False),
    ]  # fmt: skip
    assert "is-bad" in pairs["Open disputes"]
    assert pairs["Customer for"].startswith("4 y")
    assert "in 18 h" in pairs["Next payment try"] or "in 19 h" in pairs["Next payment try"]


def test_read_again_is_queued_once_and_shown_as_pending(support):
    item = items.item()
    address = reverse("admin:customer_refresh", args=[item.customer_id])

    first = support.post(address, {"back": page_of(item)}, follow=True)
    again = support.post(address, {"back": page_of(item)}, follow=True)

    assert ContextRecord.objects.get(customer=item.customer_id).pending_since is not None
    assert first.redirect_chain[0][0] == page_of(item)
    assert "being read again" in first.content.decode()
    assert "goes on; it shows up by itself" in again.content.decode()
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from django_q_ormq")
        assert cursor.fetchone()[0] == 1


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_read_again_leads_nowhere_else(support, back):
    item = items.item()

    answer = support.post(reverse("admin:customer_refresh", args=[item.customer_id]), {"back": back})

    assert answer["Location"] == reverse("admin:ledger_customer_change", args=[item.customer_id])


def test_read_again_needs_the_right_and_a_post(shipped, client, support):
    item, auditor = items.item(), f.UserFactory(groups=["Auditor"])
    address = reverse("admin:customer_refresh", args=[item.customer_id])
    client.force_login(auditor)

    assert client.post(address).status_code == 403
    assert LedgerRow.objects.filter(decision="refresh", outcome="refused", actor=f"user:{auditor.pk}").count() == 1
    assert support.get(address).status_code == 302
    assert support.post(reverse("admin:customer_refresh", args=[10**9])).status_code == 404
    assert ContextRecord.objects.get(customer=item.customer_id).pending_since is None


def test_what_could_not_be_read_is_said_with_its_reason(support):
    item = items.item()
    note = {"synced_at": clock.now().isoformat(), "read": 2, "failed": {"entitlement": "did not answer within 3 s"}}
    context = ContextRecord.objects.get(customer=item.customer_id)
    context.blocks = {**context.blocks, refresh.NOTE: note}
    context.save()

    assert "NetSuite could not be read" in html(support, item)
    assert "did not answer within 3 s" in html(support, item)


def test_the_timeline_is_short_by_default_and_hides_nothing_on_request(resolver):
    item = items.item()
    f.LedgerRowFactory(
        action_id=item.action_id, subject_id=str(item.action_id), decision="check", prior_state="unknown",
        post_state="unknown", outcome="asked for",
    )  # fmt: skip
    f.AttemptFactory(action=item.action, request_body="secret-free", response_body=json.dumps({"to": items.EMAIL}))

    compact, every = (blocks(resolver, item, f"?story={mode}")["Timeline"].data for mode in ("compact", "all"))

    assert len(every["entries"]) == len(compact["entries"]) + 2
    assert compact["hidden"] == 2
    assert every["hidden"] == 0
    assert [entry[0] for entry in every["entries"]] == sorted(entry[0] for entry in every["entries"])
    assert blocks(resolver, item, "?story=nonsense")["Timeline"].data["mode"] == "compact"


def test_raw_bodies_and_requests_are_masked_without_the_right(support, resolver):
    body = json.dumps({"to": items.EMAIL})
    item = items.item(request={"provider": "zendesk", "method": "POST", "path": "/x", "headers": [], "body": body})
    f.AttemptFactory(action=item.action, response_body=body)

    masked, full = html(support, item, "?story=raw"), html(resolver, item, "?story=raw")

    assert "ada.lovelace" not in masked
    assert "a***@initech.example" in masked
    assert full.count(items.EMAIL) == 2


def test_words_that_claim_something_are_marked_until_the_ledger_confirms_it(resolver):
    item = items.item()
    f.CommentFactory(item=item, text="I refunded the customer yesterday.")
    f.CommentFactory(item=item, text="Called them, they will pay.")

    before = blocks(resolver, item)["Comments"].data
    f.ActionFactory(
        kind="payment.refund",
        state="applied",
        customer=item.customer,
        applied_at=clock.now(),
        target="r",
        business_key="r",
    )
    after = blocks(resolver, item)["Comments"].data

    assert ["not confirmed by ledger" in str(one["mark"]) for one in before] == [True, False]
    assert [str(one["mark"]) for one in after] == ["", ""]


def test_other_items_of_the_customer_in_ninety_days(resolver):
    item = items.item()
    recent = f.ReviewItemFactory(action=None, customer=item.customer, kind="event")
    f.ReviewItemFactory(action=None, customer=item.customer, kind="event", created_at=clock.now() - timedelta(days=91))
    f.ReviewItemFactory(action=None, customer=f.CustomerFactory(), kind="event")

    rows = blocks(resolver, item)["Other items of this customer"].rows

    assert len(rows) == 1
    assert f"RV-{recent.pk}" in str(rows[0][0])


def test_the_clock_tells_its_whole_story(resolver):
    item = items.item()
    now = clock.now()
    ReviewItem.objects.filter(pk=item.pk).update(
        created_at=now - timedelta(hours=3), touched_at=now - timedelta(hours=2), due_at=now + timedelta(hours=1),
        bumps=2,
    )  # fmt: skip

    data = blocks(resolver, item)["Clock"].data
    steps = {name: str(value) for name, value in data["steps"]}

    assert data["percent"] in (74, 75)
    assert "after 1 h" in steps["First touched"]
    assert steps["Bumped"] == "2 times"
    assert not data["late"]


def test_the_evidence_is_derived_where_none_is_stored_and_kept_where_it_is(resolver):
    item = items.item()
    f.ApprovalFactory(action=item.action, item=item, by=f.UserFactory(username="priya"), rules=["open-dispute"])

    derived = {name: str(value) for name, value in blocks(resolver, item)["Evidence"].pairs}
    ReviewItem.objects.filter(pk=item.pk).update(evidence={"first_signal": "evt_kept", "remains": "one refund"})
    kept = {name: str(value) for name, value in blocks(resolver, item)["Evidence"].pairs}

    assert "payment failed" in derived["First signal"]
    assert "priya" in derived["Overridden by"]
    assert "open dispute" in derived["Overridden by"]
    assert "unpaid invoice" in derived["Remains"]
    assert "Stripe" in derived["Trusted"]
    assert "evt_kept" in kept["First signal"]
    assert "one refund" in kept["Remains"]


def test_the_handoff_note_names_no_person_of_the_customer_and_claims_nothing(resolver):
    item = items.item("sending")

    note = blocks(resolver, item)["Handoff note"].data

    assert f"RV-{item.pk}" in note
    assert "not confirmed by the provider" in note
    assert str(item.correlation_id) in note
    assert "Initech" not in note
    assert items.EMAIL not in note


def test_who_else_has_it_open_is_said(resolver):
    item = items.item()
    Presence.objects.create(item=item, user=f.UserFactory(username="miguel"))
    Presence.objects.create(item=item, user=resolver.user)
    Presence.objects.create(item=item, user=f.UserFactory(username="gone"), seen_at=clock.now() - timedelta(minutes=5))

    assert resolver.get(page_of(item)).context["page"].more["here"] == ["miguel"]


def test_touching_notes_who_looks_and_prolongs_only_the_own_claim(resolver, support):
    item = items.item()
    resolver.post(items.verb(item, "claim"))
    ReviewItem.objects.filter(pk=item.pk).update(claimed_until=clock.now() + timedelta(minutes=1))
    rows, address = LedgerRow.objects.count(), reverse("admin:review_touch", args=[item.pk])

    mine, theirs = resolver.post(address), support.post(address)

    assert (mine.status_code, theirs.status_code) == (204, 204)
    assert ReviewItem.objects.get(pk=item.pk).claimed_until > clock.now() + timedelta(minutes=10)
    assert ReviewItem.objects.get(pk=item.pk).owner == resolver.user
    assert theirs["X-Claim"] == "not-yours"
    assert Presence.objects.filter(item=item).count() == 2
    assert LedgerRow.objects.count() == rows
    assert resolver.get(address).status_code == 404
    assert resolver.post(reverse("admin:review_touch", args=[10**9])).status_code == 404


def test_the_fragment_says_who_changed_it_and_is_not_sent_twice(resolver, manager):
    item = items.item()
    page = resolver.get(page_of(item)).context["page"]
    address = page.live

    before = resolver.get(address)
    same = resolver.get(address, headers={"If-None-Match": before["ETag"]})
    manager.post(items.verb(item, "approve"), items.drawn(item))
    after = resolver.get(address, headers={"If-None-Match": before["ETag"]})

    assert "Changed meanwhile" not in before.content.decode()
    assert (same.status_code, len(same.content)) == (304, 0)
    assert after.status_code == 200
    assert "Changed meanwhile" in after.content.decode()
    assert manager.user.get_username() in after.content.decode()


def test_the_fragment_takes_few_queries_and_needs_the_right(resolver, nobody, monkeypatch):
    item = items.item()
    address = reverse("admin:review_live", args=[item.pk])
    resolver.get(address)

    with items.counted(monkeypatch) as seen:
        resolver.get(address)

    assert len(seen) <= 5, "\n".join(seen)  # session, user, the right and the numbers, the item, the stop
    assert nobody.get(address).status_code == 403
    assert resolver.get(reverse("admin:review_live", args=[10**9])).status_code == 404


def test_links_open_records_at_their_own_system_but_never_at_a_simulator(resolver, settings):
    item = items.item()
    providers = {name: dict(one) for name, one in settings.MESHLINE_PROVIDERS.items()}
    before = html(resolver, item)
    providers["stripe"].update(base_url="https://api.stripe.com", api_key="sk_test_1")
    providers["netsuite"].update(base_url="https://td1.suitetalk.api.netsuite.com", account="TD1")
    providers["zendesk"].update(base_url="https://acme.zendesk.com")
    settings.MESHLINE_PROVIDERS = providers
    after = html(resolver, item)

    assert "dashboard.stripe.com" not in before
    assert f'href="https://dashboard.stripe.com/test/customers/cus_{item.customer_id}"' in after
    assert f'href="https://acme.zendesk.com/agent/tickets/48{item.customer_id}"' in after


def test_an_item_about_an_event_alone_has_its_page(resolver):
    item = f.ReviewItemFactory(action=None, event=f.EventFactory(), kind="event", why="oddity")

    shown = html(resolver, item)

    assert "What a person has to read" in shown
    assert "Rules and gates" not in shown


def test_looking_writes_nothing(resolver):
    item = items.item()
    rows = (LedgerRow.objects.count(), Action.objects.get().state_version, Presence.objects.count())

    for query in ("", "?story=raw", "?view=tab%3Dfailed&next=1", "?story=%00", "?view=%00%ff"):
        assert resolver.get(page_of(item, query)).status_code == 200

    assert (LedgerRow.objects.count(), Action.objects.get().state_version, Presence.objects.count()) == rows
