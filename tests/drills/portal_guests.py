"""The half of the portal drill that works with the product's own code: makes links, and visits them at other times.

Started by `tests.drills.portal` with the environment of its database: `prepare`, then `travel`. Prints one JSON line.
"""

import json
import sys
from datetime import datetime, timedelta

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402

from ledger import clock  # noqa: E402
from ledger.identity import mint_external_id  # noqa: E402
from ledger.models import Customer, ExternalId  # noqa: E402
from sync.models import PortalLink  # noqa: E402
from sync.portal import links  # noqa: E402
from tests.drills.portal import DEAD, post  # noqa: E402

SCANS = 50
BROWSER = {"HTTP_HOST": "127.0.0.1"}


def at(moment: datetime) -> None:
    """Have it be this time from now on."""
    clock.now = lambda: moment


def customer(sandbox: str) -> Customer:
    """Somebody at Stripe and here."""
    billing = post(f"{sandbox}/_play/stripe/create_customer", {"name": "Initech"})["customer"]
    made = Customer.objects.create(external_id=mint_external_id("cus"))
    ExternalId.objects.create(system="stripe", kind="customer", value=billing, customer=made, linked_by="drill")
    return made


def prepare(sandbox: str) -> dict[str, list[str]]:
    """Tokens of links that work, that were revoked, and whose time is over."""
    by, today = User.objects.create_superuser("drill"), clock.now()
    found: dict[str, list[str]] = {"active": [], "revoked": [], "expired": []}
    found["active"] = [links.make(customer(sandbox).pk, by=by, reason="drill").token for _ in range(2)]
    for _ in range(DEAD):
        made = links.make(customer(sandbox).pk, by=by, reason="drill")
        links.revoke(made.link.pk, by=by, reason="drill", version=1)
        found["revoked"].append(made.token)
        made = links.make(customer(sandbox).pk, by=by, reason="drill")
        PortalLink.objects.filter(pk=made.link.pk).update(expires_at=today - timedelta(days=1))
        found["expired"].append(made.token)
    return found


def travel(sandbox: str) -> dict[str, object]:
    """One link: today, by HEAD, by a scanner, in 30 days, and after it was revoked."""
    by, today = User.objects.get(username="drill"), clock.now()
    made = links.make(customer(sandbox).pk, by=by, reason="drill")
    path, visitor = f"/portal/{made.token}/", Client()
    seen: dict[str, object] = {"today": visitor.get(path, **BROWSER).status_code}
    heads = [visitor.head(path, **BROWSER).status_code for _ in range(SCANS)]
    scans = [visitor.get(path, **BROWSER) for _ in range(SCANS)]
    seen |= {"by HEAD": sorted(set(heads)), "by a scanner": sorted({one.status_code for one in scans})}
    seen["different sessions of the scanner"] = len({one["Location"] for one in scans})
    at(today + timedelta(days=30))
    seen["in 30 days"] = visitor.get(path, **BROWSER).status_code
    link = PortalLink.objects.get(pk=made.link.pk)
    seen |= {"visits counted": link.visits, "state": link.state, "version": link.state_version}
    links.revoke(link.pk, by=by, reason="drill", version=link.state_version)
    after, unknown = visitor.get(path, **BROWSER), visitor.get("/portal/nobody/", **BROWSER)
    seen["after revocation"] = after.status_code
    seen["same refusal as an unknown one"] = (after.status_code, after.content) == (
        unknown.status_code,
        unknown.content,
    )
    return seen


if __name__ == "__main__":
    done = {"prepare": prepare, "travel": travel}[sys.argv[1]](sys.argv[2])
    sys.stdout.write(f"{json.dumps(done)}\n")
