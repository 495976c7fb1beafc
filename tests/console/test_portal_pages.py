"""Portal links and imports in the console: who sees and does what, and that an address is shown once."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ledger.models import ExternalId
from sync.imports import links as imports
from sync.imports import upkeep
from sync.models import LinkImport, LinkImportRow, PortalLink, PortalRun
from sync.portal import backfill, checking
from sync.portal import links as portal
from tests import factories as f
from tests.console.conftest import signed_in

LIST, IMPORTS = "/admin/portal/", "/admin/imports/"


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def owner(*ids):
    made = f.CustomerFactory()
    for one in ids:
        f.ExternalIdFactory(system="stripe", kind="customer", value=one, customer=made)
    return made


def page(customer):
    return f"/admin/ledger/customer/{customer.pk}/change/"


def test_a_link_is_made_shown_once_renewed_and_revoked(resolver, support, settings):
    customer = owner("cus_1")
    assert "No link yet" in text(support.get(page(customer)))
    assert "Make the portal link" not in text(support.get(page(customer)))
    assert support.post(f"{LIST}customers/{customer.pk}/make/", {"reason": "x"}).status_code == 403

    made = resolver.post(f"{LIST}customers/{customer.pk}/make/", {"reason": "asked for it"})
    link = PortalLink.objects.get()
    address = portal.url_for(link)
    assert made.status_code == 200
    assert f'value="{address}"' in made.content.decode()
    assert f'data-copy="{address}"' in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    token = address.split("/")[-2]
    for place in (page(customer), LIST, "/admin/ledger/ledgerrow/"):
        assert token not in resolver.get(place).content.decode()
    again = resolver.post(f"{LIST}customers/{customer.pk}/make/", {"reason": "x"})
    assert (again.status_code, "a link that works" in text(again)) == (409, True)

    stale = resolver.post(f"{LIST}{link.pk}/renew/", {"reason": "x", "version": 9})
    assert stale.status_code == 409
    renewed = resolver.post(f"{LIST}{link.pk}/renew/", {"reason": "it was forwarded", "version": 1})
    newest = PortalLink.objects.get(state="active")
    assert (newest.generation, portal.url_for(newest) in renewed.content.decode()) == (2, True)
    over = resolver.post(f"{LIST}{newest.pk}/revoke/", {"reason": "contract over", "version": 1}, follow=True)
    assert "Revoked" in text(over)
    assert not PortalLink.objects.filter(state="active").exists()
    assert Client().get(f"/portal/{token}/").status_code == 404


def test_the_list_the_backfill_and_the_check(manager, support, nobody):
    customers = [owner(f"cus_b{n}") for n in range(3)]
    assert nobody.get(LIST).status_code == 403
    assert "get a link" in text(manager.get(f"{LIST}?plan=1"))

    assert "Begun" in text(manager.post(f"{LIST}all/backfill/", {"reason": "all of them"}, follow=True))
    assert manager.post(f"{LIST}all/backfill/", {"reason": "twice"}).status_code == 409
    backfill.job(PortalRun.objects.get(kind="backfill").pk)
    assert "3 get a link" in text(support.get(LIST))
    assert PortalLink.objects.filter(customer__in=customers, state="active").count() == 3
    assert "3" in text(manager.get(f"{LIST}?state=active"))
    assert "No link here" in text(manager.get(f"{LIST}?state=revoked"))
    assert manager.get(f"{LIST}?before=x&state=%00").status_code == 200

    assert support.post(f"{LIST}all/check/").status_code == 403
    assert "Asked" in text(manager.post(f"{LIST}all/check/", follow=True))
    assert manager.post(f"{LIST}all/check/").status_code == 409
    checking.job(PortalRun.objects.get(kind="check").pk)
    assert "MESHLINE_PORTAL_CHECK_CUSTOMER is not set" in text(support.get(LIST))


def test_lists_cost_the_same_however_long_they_are(manager):
    def cost(place):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert manager.get(place).status_code == 200
        return len(seen)

    batch = LinkImport.objects.create(file_sha="x", asked_by="user:1", expires_at="2100-01-01T00:00Z", state="checking")
    few = []
    for n in range(2):
        made = owner(f"cus_q{n}")
        portal.ensure(made.pk, actor=f"user:{n}", reason="x")
        LinkImportRow.objects.create(batch=batch, number=n, customer=made, verdict="link")
        few.append([cost(LIST), cost(IMPORTS), cost(f"{IMPORTS}{batch.pk}/")])

    assert few[0] == few[1]


def upload(client, raw, name="links.csv"):
    return client.post(IMPORTS, {"file": SimpleUploadedFile(name, raw)}, follow=True)


@pytest.fixture
def lead(shipped):
    return signed_in("Revenue Ops Lead")


def test_a_file_is_read_shown_and_confirmed(lead, manager, support, sandbox):
    billing = sandbox.post("/_play/stripe/create_customer", {"name": "x"})["customer"]
    known = f.ExternalIdFactory(system="netsuite", kind="customer", value="77").customer
    raw = f"internal_id,stripe_id\n77,{billing}\n=2+3,cus_x\n".encode()

    assert support.get(IMPORTS).status_code == 403
    assert manager.post(IMPORTS, {"file": SimpleUploadedFile("a.csv", raw)}).status_code == 403
    assert "choose a CSV file" in text(lead.post(IMPORTS))
    assert "UTF-16" in text(upload(lead, "internal_id".encode("utf-16")))
    huge = lead.post(IMPORTS, {"file": SimpleUploadedFile("a.csv", b"x" * (6 * 1024 * 1024))})
    assert (huge.status_code, "at most 5 MB" in text(huge)) == (422, True)
    assert not LinkImport.objects.exists()

    assert "1 rows are still to be looked up" in text(upload(lead, raw, "=cmd.csv"))
    batch = LinkImport.objects.get()
    here = f"{IMPORTS}{batch.pk}/"
    upkeep.job(batch.pk)
    shown = lead.get(here)
    assert "1 customer would be linked" in text(shown)
    assert "begins like a formula" in text(shown)
    digest = re.search(r'name="digest" value="(\w+)"', shown.content.decode())[1]
    report = manager.get(f"{here}report/").content.decode()
    assert "\r\n3,'=2+3,cus_x,," in report
    assert lead.post(f"{here}confirm/", {"digest": "0" * 64, "reason": "x"}).status_code == 409
    assert manager.post(f"{here}confirm/", {"digest": digest, "reason": "x"}).status_code == 403
    assert not ExternalId.objects.filter(system="stripe").exists()

    assert "Linked: 1 customers" in text(
        lead.post(f"{here}confirm/", {"digest": digest, "reason": "moved"}, follow=True)
    )
    assert ExternalId.objects.get(system="stripe").customer == known
    assert lead.get(f"{here}?verdict=bad&after=99999999999999").status_code == 200
    second = imports.begin(raw, by=lead.user)
    assert "Discarded" in text(lead.post(f"{IMPORTS}{second.pk}/discard/", {"reason": "x"}, follow=True))
    assert lead.get(f"{IMPORTS}987654321/").status_code == 404
