"""The address of a customer's billing page in the ERP: it works, it is nowhere else, and it follows its link."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from gates import stop
from gates.playbooks import customer_sync as playbook
from ledger import clock
from ledger.models import Action, ExternalId, LedgerRow
from sync import drain, settle
from sync.customer_sync import due, engine, jobs, portal, runs, troubles
from sync.customer_sync.models import SyncError, SyncLink, SyncRun
from sync.imports import links as imports
from sync.models import Attempt, PortalLink
from sync.portal import backfill, links
from tests.flows.syncing import (
    ID_FIELD,
    billing_books,
    calls,
    change_erp,
    erp_books,
    finish,
    plant_billing,
    plant_erp,
    run,
)
from tests.flows.test_crash import KilledError, expire, kill
from tests.flows.world import World, acting

FIELD = "custentity_mesh_stripe_portal_url"


@pytest.fixture
def syncing(world: World) -> World:
    acting("customer_sync")
    return world


def page(world: World, internal_id: str) -> str:
    return str(erp_books(world)[internal_id].get(FIELD) or "")


def token_of(address: str) -> str:
    return address.rsplit("/", 2)[1]


def opens(address: str) -> int:
    """What a visitor is answered."""
    return Client().get(f"/portal/{token_of(address)}/").status_code


def holding(token: str) -> list[str]:
    """Tables with this text anywhere in a row."""
    with connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
        tables = [row[0] for row in cursor.fetchall()]
        found = []
        for table in tables:
            cursor.execute(f'select 1 from "{table}" t where strpos(t::text, %s) > 0 limit 1', [token])
            found += [table] if cursor.fetchone() else []
    return found


def due_run() -> SyncRun:
    """The run that the upkeep began by itself, worked to its end."""
    before = SyncRun.objects.count()
    jobs.tend()
    assert SyncRun.objects.count() == before + 1
    return finish(SyncRun.objects.latest("pk"))


def test_the_address_is_in_the_erp_and_in_no_row_and_no_log(
    syncing: World, monkeypatch: pytest.MonkeyPatch, caplog: Any, capsys: Any
) -> None:
    (one,) = plant_erp(syncing, {"email": "a@one.example"})
    started = runs.start("all-customers", "mass", by=None, ring=False)
    engine.work(started.pk, box=0.2)
    with monkeypatch.context() as patched:  # dies after the answer of the billing system, before it is booked
        patched.setattr(settle, "book_sent", kill)
        with pytest.raises(KilledError):
            drain.once()
    assert len(billing_books(syncing)) == 1
    assert page(syncing, one) == ""
    expire()
    assert finish(started).counts == {"created": 1}

    (billing,) = billing_books(syncing)
    link = PortalLink.objects.get(state="active")
    address = page(syncing, one)
    assert (erp_books(syncing)[one][ID_FIELD], address) == (billing, links.url_for(link))
    assert opens(address) == 303
    with monkeypatch.context() as patched:  # A14: ten minutes later it opens another session
        visitor, later = Client(), clock.now() + timedelta(minutes=10)
        first = visitor.get(f"/portal/{token_of(address)}/")
        patched.setattr(clock, "now", lambda: later)
        again = visitor.get(f"/portal/{token_of(address)}/")
    assert (first.status_code, again.status_code, first["Location"] != again["Location"]) == (303, 303, True)
    assert holding(token_of(address)) == []
    assert holding(link.token_hash) == ["sync_portallink"], "of the token only the hash is stored, once"
    said = capsys.readouterr()
    assert token_of(address) not in caplog.text + said.out + said.err
    written = Action.objects.get(kind="billing_customer.link")
    assert (written.params["page"], portal.PLACEHOLDER in written.request["body"]) == (True, True)
    sent = Attempt.objects.get(action=written, is_write=True)
    assert "/portal/***/" in sent.request_body
    read = Attempt.objects.filter(action=written, is_write=False).latest("pk")
    assert "/portal/***/" in read.response_body

    before = calls("stripe"), Attempt.objects.filter(is_write=True).count()
    assert run().counts == {"unchanged": 1}
    assert due.write() == 0
    assert (calls("stripe"), Attempt.objects.filter(is_write=True).count()) == before
    assert (PortalLink.objects.count(), page(syncing, one)) == (1, address)


def test_a_lost_write_back_is_sent_again_with_the_same_address(
    syncing: World, monkeypatch: pytest.MonkeyPatch, biller: Any
) -> None:
    (one,) = plant_erp(syncing, {"email": "a@one.example"})
    started = runs.start("all-customers", "mass", by=None, ring=False)
    engine.work(started.pk, box=0.2)
    booked = settle.book_sent

    def dies_at_the_link(sent: Any, token: int) -> None:
        if any(one.one.kind_name == playbook.LINK for one in sent):
            raise KilledError
        booked(sent, token)

    with monkeypatch.context() as patched:
        patched.setattr(settle, "book_sent", dies_at_the_link)
        with pytest.raises(KilledError):
            syncing.settle()
    first = page(syncing, one)
    assert first
    change_erp(syncing, one, **{FIELD: None, ID_FIELD: None})  # as if it had never arrived there
    expire()
    assert finish(started).counts == {"created": 1}
    assert (page(syncing, one), len(billing_books(syncing))) == (first, 1)
    assert LedgerRow.objects.filter(decision="confirm", subject_kind="action").count() == 2

    # A18: a limit on the write back is waited for, and is nobody's error
    (two,) = plant_erp(syncing, {"email": "b@two.example"})
    syncing.fault({"provider": "netsuite", "kind": "rate_limit", "method": "PATCH", "count": 2})
    assert run().counts == {"created": 1, "unchanged": 1}
    limited = Attempt.objects.filter(provider="netsuite", method="PATCH", status=429)
    assert (limited.count(), opens(page(syncing, two))) == (2, 303)
    assert troubles.class_of("CONCURRENCY_LIMIT_EXCEEDED") == troubles.class_of("429") == "rate_limit"
    assert not SyncError.objects.exists()

    # A16: while the ERP is stopped it is read and not written; the change waits
    (three,) = plant_erp(syncing, {"email": "c@three.example"})
    stop.engage("provider:netsuite", by=biller, reason="test")
    engine.work(runs.start("all-customers", "mass", by=None, ring=False).pk, box=0.3)
    syncing.settle()
    held = Action.objects.filter(correlation_id=Action.objects.latest("pk").correlation_id).order_by("pk")
    assert [(one.kind, one.state) for one in held] == [
        ("billing_customer.create", "applied"), ("billing_customer.link", "parked"),
    ]  # fmt: skip
    assert (erp_books(syncing)[three].get(ID_FIELD), page(syncing, three)) == (None, "")


def test_the_address_follows_its_link(syncing: World, settings: Any, biller: Any) -> None:
    (known,) = plant_billing(syncing, {"email": "old@x.example", "name": "Old"})
    old, blank = plant_erp(
        syncing, {"email": "old@x.example", "name": "Old", "stripe": known}, {"name": "No mail"}
    )  # fmt: skip
    run()
    assert page(syncing, old) == "", "a customer linked before us gets a link by the backfill"

    # F93: the backfill makes the link, and the write-back follows by itself, once
    assert backfill.now(by=biller, reason="all").report["make"] == 1
    assert due_run().counts == {"linked": 1}
    first = page(syncing, old)
    assert opens(first) == 303
    assert due.write() == 0
    assert run().counts == {"review": 1, "unchanged": 1}

    # a person renews it: the ERP gets the new address, the old one is dead
    link = PortalLink.objects.get(state="active")
    links.renew(link.pk, by=biller, reason="forwarded", version=link.state_version)
    assert due_run().counts == {"linked": 1}
    second = page(syncing, old)
    assert (second != first, opens(first), opens(second)) == (True, 404, 303)

    # A15, A6: linked anew from blank, the old link is refused and the new one stands in the ERP
    (other,) = plant_billing(syncing, {"email": "new@x.example"})
    change_erp(syncing, old, email="new@x.example", **{ID_FIELD: None})
    assert run().counts == {"linked": 1, "review": 1}
    third = page(syncing, old)
    assert (erp_books(syncing)[old][ID_FIELD], opens(second), opens(third)) == (other, 404, 303)
    assert SyncLink.objects.get(internal_id=old).page == PortalLink.objects.get(state="active").pk

    # A11: an id from a file for a customer without an address: verified, linked, and written with its page
    (typed,) = plant_billing(syncing, {"name": "No mail"})
    batch = imports.begin(f"internal_id,stripe_id\n{blank},{typed}\n".encode(), by=biller, name="ids.csv")
    batch = imports.check(batch.pk)
    imports.confirm(batch.pk, by=biller, digest_seen=batch.digest, reason="from the old connector")
    assert due_run().counts == {"linked": 1}
    assert (erp_books(syncing)[blank][ID_FIELD], opens(page(syncing, blank))) == (typed, 303)
    assert ExternalId.objects.filter(system="stripe", value=typed).count() == 1
    assert set(run().counts) <= {"unchanged", "updated"}

    # made under a key that nobody knows any more: it still works, and there is nothing to write
    PortalLink.objects.filter(state="active").update(seed="0" * 64)
    SyncLink.objects.update(page=None)
    assert set(run().counts) == {"unchanged"}

    # switched off: ids go on, addresses do not
    settings.MESHLINE_PORTAL = {**settings.MESHLINE_PORTAL, "write_back": False}
    (plain,) = plant_erp(syncing, {"email": "plain@x.example"})
    assert run().counts["created"] == 1
    assert (bool(erp_books(syncing)[plain][ID_FIELD]), page(syncing, plain)) == (True, "")
    assert not {token_of(one) for one in (first, second, third) if holding(token_of(one))}
