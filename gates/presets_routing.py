"""What every installation starts with for routing: ownership rules, SLA policies, business hours and runbooks."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from django.conf import settings
from simple_history.utils import bulk_create_with_history

from gates import accounts, ownership, runbooks, sla, sla_plan
from gates.models import BusinessHours, OwnershipRule, Runbook, SlaPolicy

OFFICE = "Office hours"
WEEKDAY = [[540, 1020]]
CONTRACTS = ["contract.suspend", "contract.downgrade", "contract.restore"]
ENDS = ["subscription.cancel", "subscription.uncancel", "contract.cancel"]
RULES: tuple[dict[str, Any], ...] = (
    {"title": "Enterprise customers", "tiers": ["enterprise"], "role": accounts.AM, "group": "Support Manager",
     "fallback_group": "Revenue Ops Lead"},
    {"title": "Money", "kinds": ["payment.refund"], "role": accounts.RESOLVER, "group": "Billing Resolver",
     "fallback_group": "Support Manager"},
    {"title": "May not be cancelled", "whys": ["cancellation_blocked"], "role": accounts.ESCALATION,
     "group": "Support Manager", "fallback_group": "Revenue Ops Lead"},
    {"title": "Customers who leave", "kinds": ENDS, "role": accounts.AM, "group": "Support Manager",
     "fallback_group": "Revenue Ops Lead"},
    {"title": "A person asked for it", "whys": ["asked_by_person"], "group": "Support Manager",
     "fallback_group": "Revenue Ops Lead"},
    {"title": "Changes of contracts", "kinds": CONTRACTS, "group": "Billing Resolver",
     "fallback_group": "Support Manager"},
    {"title": "Events only a person can read",
     "kinds": ["event", "event.unreadable", "event.contradiction", "portal.failed"],
     "group": "Automation Engineer", "fallback_group": "Revenue Ops Lead"},
    {"title": "Formats and sign-ins", "whys": ["schema_drift", "crashed", "auth", "facts_unreadable"],
     "group": "Automation Engineer", "fallback_group": "Revenue Ops Lead"},
    {"title": "Everything else", "group": "Support", "fallback_group": "Support Manager"},
)  # fmt: skip
POLICIES: tuple[dict[str, Any], ...] = (
    {"kind": "", "tier": "", "touch_minutes": 240, "decide_minutes": 1440,
     "steps": [{"at_percent": 50, "group": ""}, {"at_percent": 100, "group": "Support Manager"}]},
    {"kind": "", "tier": "enterprise", "touch_minutes": 60, "decide_minutes": 480,
     "steps": [{"at_percent": 50, "group": "Support Manager"}, {"at_percent": 100, "group": "Revenue Ops Lead"}]},
    {"kind": "payment.refund", "tier": "", "touch_minutes": 120, "decide_minutes": 480, "hours": OFFICE,
     "steps": [{"at_percent": 50, "group": ""}, {"at_percent": 100, "group": "Support Manager"}]},
    {"kind": "event", "tier": "", "touch_minutes": 480, "decide_minutes": 960, "hours": OFFICE,
     "steps": [{"at_percent": 100, "group": "Revenue Ops Lead"}]},
)  # fmt: skip


def install() -> None:
    """Make what is missing; what people changed or removed since is left alone."""
    if not OwnershipRule.objects.exists():
        rules = [OwnershipRule(position=place, **one) for place, one in enumerate(RULES, start=1)]
        bulk_create_with_history(rules, OwnershipRule)
        ownership.forget()
    if not SlaPolicy.objects.exists():
        install_policies()
    known = set(Runbook.objects.values_list("slug", flat=True))
    new = [one for one in shipped_runbooks() if one.slug not in known]
    if new:
        bulk_create_with_history(new, Runbook)


def install_policies() -> None:
    """The policies with their calendar; items that were opened before any policy was there are promised anew."""
    office, _ = BusinessHours.objects.get_or_create(name=OFFICE, defaults={"week": [WEEKDAY] * 5 + [[], []]})
    made = [SlaPolicy(**{**one, "hours": office if one.get("hours") else None}) for one in POLICIES]
    bulk_create_with_history(made, SlaPolicy)
    sla_plan.forget()
    sla.recompute()


def shipped_runbooks() -> list[Runbook]:
    """The pages of `templates/runbooks` as rows that are not stored yet."""
    pages = sorted((Path(settings.BASE_DIR) / "templates" / "runbooks").glob("*.html"))
    return [runbook_of(page.stem, page.read_text("utf-8")) for page in pages]


def runbook_of(slug: str, page: str) -> Runbook:
    """A page as a row: h2 is the title, the first paragraph says when, each list item is a step.

    The paragraph's attributes `data-owner`, `data-kinds`, `data-whys`, `data-errors` and `data-alerts` say whose it is
    and what it applies to; a step's `data-verb` is its button.
    """
    reader = PageReader()
    reader.feed(page)
    about = {name: reader.attributes.get(f"data-{name}", "").split() for name in runbooks.ABOUT}
    return Runbook(
        slug=slug, title=reader.title[:120], when=reader.when[:300], applies_to=about, steps=reader.steps,
        owner_group=reader.attributes.get("data-owner") or "Product Ops",
    )  # fmt: skip


@dataclass
class PageReader(HTMLParser):
    """Reads the few elements a runbook's page is made of."""

    title: str = ""
    when: str = ""
    steps: list[dict[str, str]] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The parser's own state."""
        super().__init__(convert_charrefs=True)
        self._inside, self._part = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins; code is marked as people write it."""
        if tag == "code":
            self.handle_data("`")
        elif tag == "li":
            self._inside = tag
            self.steps.append(
                {"text": f"{self._part}: " if self._part else "", "verb": dict(attrs).get("data-verb") or ""}
            )
        elif tag in ("h2", "h3", "p"):
            self._inside = tag if tag != "p" or not self.when else ""
            if tag == "h3":
                self._part = ""
            elif self._inside == "p":
                self.attributes = {name: value or "" for name, value in attrs}

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if tag == "code":
            self.handle_data("`")
        elif tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Text goes where the element says."""
        if self._inside == "h2":
            self.title += data
        elif self._inside == "h3":
            self._part += data
        elif self._inside == "p":
            self.when += data
        elif self._inside == "li":
            self.steps[-1]["text"] += data
