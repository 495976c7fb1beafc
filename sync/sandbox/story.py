"""The billing week that `demo` plays: what customers, banks, agents and bad luck do, outside Meshline.

It drives the simulators by their control paths alone, as the world outside would. A day lasts a few seconds, so the
72 hours of the safety window are three of them. The same seed tells the same story.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from sync.sandbox import cast
from sync.sandbox.cast import Customer, Fate
from sync.sandbox.remote import Remote
from sync.sandbox.wire import Json

VERSIONS = (
    "2025-02-24.acacia", "2025-08-27.basil", "2025-11-17.clover", "2026-08-26.dahlia", "2026-10-28.endive",
)  # fmt: skip
UNPAID = (Fate.LATE, Fate.NEVER, Fate.DISPUTED, Fate.WARNED, Fate.STRANGER)
CLOSED = (Fate.VOIDED, Fate.ENDED)
TICKETS, CONTRACTS = "/api/v2/tickets", "/services/rest/record/v1/customrecord_mesh_contract"
LARGER_PLAN: Json = {"custrecord_mesh_plan": "scale"}
# In steps of the same rule, so that an unlucky week is the same unlucky week each time.
DOUBLED: Json = {"kind": "hook_duplicate", "every": 5}
FORGED: Json = {"kind": "hook_bad_signature", "type": "invoice.payment_failed", "count": 1}
SIGNED_TWICE: Json = {"kind": "hook_duplicate", "type": "deal.change", "every": 2}
DESK_AWAY: Json = {"kind": "error_before", "status": 503, "method": "POST", "path": TICKETS, "count": 1}
DESK_SILENT: Json = {"kind": "lost_answer", "method": "POST", "path": TICKETS, "after": 2, "count": 1}
ERP_SLOW: Json = {"kind": "latency", "ms": 150, "jitter_ms": 350}
ERP_CROWDED: Json = {"kind": "rate_limit", "retry_after": 1, "every": 4, "count": 2}
ERP_DONE_BUT_500: Json = {"kind": "error_after", "status": 500, "method": "PATCH", "path": CONTRACTS, "count": 1}
ERP_SILENT: Json = {"kind": "lost_answer", "method": "PATCH", "path": CONTRACTS, "after": 1, "count": 1}
ERP_NOT_DONE: Json = {**ERP_DONE_BUT_500, "kind": "error_before", "after": 3}
FINLAND: Json = {"value": "Mannerheimintie 1, Helsinki", "country": "Finland", "locality": "Helsinki"}
GERMANY: Json = {"value": "Hauptstrasse 1, Berlin", "country": "Germany", "locality": "Berlin"}
# Company, where, tax id, package, value: what billing needs is all there.
DEALS: tuple[tuple[str, Json, str, str, int], ...] = (
    ("Aurora Robotics Oy", FINLAND, "FI12345671", "PKG-GROWTH", 12_000),
    ("Birch & Sons Oy", FINLAND, "FI12345672", "PKG-STARTER", 2_400),
    ("Möller Logistik GmbH", GERMANY, "DE123456788", "PKG-GROWTH", 9_600),
    ("Kestrel Foods GmbH", GERMANY, "DE223456789", "PKG-SCALE", 48_000),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that happens at a moment of the week; `act` does it and says what it was."""

    day: float
    act: Callable[[], str]


class Story:
    """One week of these customers."""

    def __init__(self, remote: Remote, *, customers: int, seed: int, day_seconds: float) -> None:
        self.remote = remote
        self.day_seconds = day_seconds
        self.rng = random.Random(seed)
        self.customers = cast.gather(customers, self.rng)
        self.first_event = ""
        self.untaxed = 0

    def scenes(self) -> list[Scene]:
        """The week in order; days are counted from 1."""
        return [
            Scene(1.0, self.renewals),
            Scene(1.2, self.deals_signed),
            Scene(1.4, self.disputes),
            Scene(2.0, self.second_attempts),
            Scene(2.5, self.strange_mail),
            Scene(2.7, self.deal_corrected),
            Scene(3.0, self.retries_succeed_out_of_order),
            Scene(3.5, self.last_attempts),
            Scene(4.0, self.windows_end),
            Scene(4.3, self.more_retries_succeed),
            Scene(4.5, self.closed),
            Scene(5.0, self.sales_at_work),
            Scene(5.5, self.agents_at_work),
            Scene(6.0, self.old_news),
            Scene(7.0, self.late_payers),
        ]

    def arrive(self) -> str:
        """Before the week: everybody subscribes."""
        self._version(0)
        for one in self.customers:
            cast.enter(one, self.remote)
        return f"{len(self.customers)} customers subscribe; all but one have a contract in the ERP"

    def renewals(self) -> str:
        """Invoices are due: some are paid, some cards are declined; the help desk has a bad minute."""
        self.remote.faults("stripe", DOUBLED)
        self.remote.faults("zendesk", DESK_AWAY, DESK_SILENT)
        punctual, unpaid = self._of(Fate.PUNCTUAL), self._of(*UNPAID)
        for one in punctual:
            paid = self.remote.play("stripe", "pay_invoice", subscription=one.subscription, noise=True)
            one.charge = str(paid["charge"])
        for one in unpaid:
            self._fail(one, days=1)
        return f"{len(punctual)} renewals paid, {len(unpaid)} declined; the help desk answers 503, then not at all"

    def disputes(self) -> str:
        """One customer disputes an earlier payment, one card is reported as stolen."""
        for one in self._of(Fate.DISPUTED):
            self.remote.play("stripe", "open_dispute", customer=one.stripe)
        for one in self._of(Fate.WARNED):
            self.remote.play("stripe", "warn_fraud", customer=one.stripe)
        return "one customer disputes an earlier payment, a bank warns of fraud on another"

    def deals_signed(self) -> str:
        """Sales signs: most deals say all that billing needs, one has no tax id, one nobody who answers for it."""
        self.remote.faults("pipedrive", SIGNED_TWICE)
        for company, place, tax_id, package, value in DEALS:
            org: Json = {"name": company, "tax_id": tax_id, "address": place}
            self._sign(org, package, value)
        made = self._sign({"name": "Harbour Textiles Oy", "tax_id": None}, "PKG-GROWTH", 7_300)
        self.untaxed = int(made["organization"])
        self._sign({"name": "Lumen Media Oy"}, "PKG-STARTER", 1_900, **{"Billing owner": None})
        return f"{len(DEALS) + 2} deals are signed: one lacks its tax id, one a billing owner; webhooks come twice"

    def _sign(self, org: Json, package: str, value: int, **fields: object) -> Json:
        mail = f"ap@{re.sub('[^a-z0-9]+', '-', str(org['name']).lower())}.example"
        made = self.remote.play(
            "pipedrive", "create_deal", title=f"{org['name']} {package.removeprefix('PKG-').lower()}", org=org,
            person={"emails": [mail]}, value=value, fields={"Onboarding package code": package, **fields},
        )  # fmt: skip
        self.remote.play("pipedrive", "move_stage", deal=made["deal"])
        return made

    def deal_corrected(self) -> str:
        """Sales enters the tax id that was missing."""
        self.remote.play("pipedrive", "edit_org", org=self.untaxed, tax_id="FI23456789")
        return "sales enters the tax id that the deal lacked"

    def second_attempts(self) -> str:
        """More cards fail; the unpaid ones fail a second time, told in a newer API version."""
        self._version(1)
        self.remote.faults("stripe", DOUBLED, FORGED)
        fresh = self._of(Fate.RETRIED, *CLOSED)
        for one in fresh:
            self._fail(one, days=1.5)
        for one in self._of(*UNPAID):
            self._fail(one, days=1.5)
        return f"{len(fresh)} more declined, the unpaid ones a second time; one delivery has a forged signature"

    def strange_mail(self) -> str:
        """An event of a type that nobody here has heard of."""
        self.remote.play("stripe", "send_event", type="terminal.reader.action_succeeded", object={"id": "tmr_1"})
        return "an event of an unknown type arrives"

    def retries_succeed_out_of_order(self) -> str:
        """Half of the retries fail once more and then succeed, and all of that arrives in the wrong order."""
        self._version(2)
        self.remote.faults("netsuite", ERP_SLOW, ERP_CROWDED)
        some = self._of(Fate.RETRIED)[::2]
        self.remote.post("/_webhooks", {"stripe": {"hold": True}})
        try:
            for one in some:
                self._fail(one, days=1)
                self._pay(one)
        finally:
            self.remote.post("/_webhooks/release", {"provider": "stripe", "order": "reverse"})
        return f"{len(some)} retries fail again and then succeed, told backwards; the ERP is slow and answers 429"

    def last_attempts(self) -> str:
        """The payment provider gives up on the unpaid ones."""
        unpaid = self._of(*UNPAID)
        for one in unpaid:
            self._fail(one, days=None)
        return f"the last attempt fails for {len(unpaid)}: no further one is planned"

    def windows_end(self) -> str:
        """The first safety windows end, and the ERP is at its worst just then."""
        self._version(3)
        self.remote.faults("netsuite", ERP_DONE_BUT_500, ERP_SILENT, ERP_NOT_DONE)
        return (
            "safety windows end; the ERP writes and answers 500, writes and says nothing, answers 500 and did not write"
        )

    def more_retries_succeed(self) -> str:
        """The other half of the retries succeed before their windows end."""
        others = self._of(Fate.RETRIED)[1::2]
        for one in others:
            self._pay(one)
        return f"{len(others)} more retries succeed in time"

    def closed(self) -> str:
        """One invoice is voided, one customer leaves."""
        for one in self._of(Fate.VOIDED):
            self.remote.play("stripe", "close_invoice", invoice=one.invoice, status="void")
        for one in self._of(Fate.ENDED):
            self.remote.play("stripe", "end_subscription", subscription=one.subscription, reason="cancelled")
        return "an invoice is voided, a customer leaves"

    def sales_at_work(self) -> str:
        """Somebody changes a plan in the ERP."""
        self._version(4)
        changed = self._of(Fate.PUNCTUAL)[:3]
        for one in changed:
            self.remote.play("netsuite", "change_contract", id=one.erp_contract, fields=LARGER_PLAN)
        return f"sales moves {len(changed)} customers to another plan in the ERP"

    def agents_at_work(self) -> str:
        """Agents answer some of the tickets."""
        tickets = sorted(self.remote.get("/_books/zendesk?only=objects")["objects"].get("tickets", {}), key=int)
        for ticket in tickets[:4]:
            self.remote.play("zendesk", "agent_comment", ticket=ticket, body="I asked the customer for another card.")
        return f"agents comment on {len(tickets[:4])} tickets"

    def old_news(self) -> str:
        """The first failure of the week is delivered again, days later, three times."""
        if self.first_event:
            self.remote.play("stripe", "redeliver", event=self.first_event, times=3)
        return "the first failure of the week is delivered three more times"

    def late_payers(self) -> str:
        """Some pay when it is too late to keep the service, but not too late to get it back."""
        late = self._of(Fate.LATE)
        for one in late:
            self._pay(one)
        return f"{len(late)} customers pay after their suspension"

    def calm(self) -> None:
        """No more bad luck."""
        for name in ("stripe", "netsuite", "zendesk", "pipedrive", "slack"):
            self.remote.faults(name)

    def _of(self, *fates: Fate) -> list[Customer]:
        return [one for one in self.customers if one.fate in fates]

    def _version(self, place: int) -> None:
        self.remote.play("stripe", "set_version", api_version=VERSIONS[place])

    def _fail(self, one: Customer, days: float | None) -> None:
        ahead = None if days is None else max(1, round(days * self.day_seconds))
        done = self.remote.play(
            "stripe", "fail_payment", subscription=one.subscription, next_attempt_in=ahead, noise=True
        )
        one.invoice = done["invoice"]
        self.first_event = self.first_event or done["events"][2]

    def _pay(self, one: Customer) -> None:
        self.remote.play("stripe", "pay_invoice", invoice=one.invoice)
