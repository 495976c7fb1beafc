"""The deals of a drill: mostly ready for billing, some not, each of those with the field that must be named."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.simulators import Sandbox

ONE_INVALID_IN = 12
# What is wrong with a deal -> what the review item must say of it.
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"org": {"tax_id": None}}, "tax registration is missing"),
    ({"person": {"emails": []}}, "e-mail is missing"),
    ({"fields": {"Billing owner": None}}, "billing owner is missing"),
    ({"person": {"emails": ["nobody at all"]}}, "e-mail is not an address"),
    ({"fields": {"Payment terms": None}}, "payment terms is missing"),
    ({"org": {"tax_id": "FI123"}}, "tax registration does not have the form"),
    ({"fields": {"Onboarding package code": None}}, "package is missing"),
    ({"currency": "XXX"}, "currency is not a currency"),
    ({"value": 0}, "amount must be above zero"),
    ({"fields": {"CSM": None}}, "customer success manager is missing"),
    ({"org": None}, "organization is missing"),
    ({"fields": {"First value date": None}}, "first-value date is missing"),
    ({"fields": {"Payment terms": "Net 60"}}, "payment terms is not among"),
)


@dataclass(frozen=True, slots=True)
class Signing:
    """One deal of the drill; `names` is "" for one that is ready for billing."""

    deal: int
    organization: int | None
    company: str
    names: str = ""


@dataclass
class Town:
    """All of them, made in the CRM before the drill begins."""

    sandbox: Sandbox
    rng: random.Random
    signings: list[Signing] = field(default_factory=list)

    def settle_in(self, count: int, *, with_invalid: bool = True) -> None:
        """Make deals in the stage before the signed one; every twelfth lacks something."""
        for number in range(count):
            is_wrong = with_invalid and number % ONE_INVALID_IN == ONE_INVALID_IN // 2
            given, names = WRONG[number // ONE_INVALID_IN % len(WRONG)] if is_wrong else ({}, "")
            self.signings.append(self.make(number, given, names))

    def make(self, number: int, given: dict[str, Any], names: str) -> Signing:
        """One deal with an organization and a person of its own."""
        company = f"Drill {number:04} Oy"
        org = {"name": company, "tax_id": f"FI{20_000_000 + number}"}
        person = {"name": f"Person {number}", "emails": [f"ap-{number}@drill.example"]}
        about = {
            "title": company, "value": 1000 + number, **given,
            "org": None if given.get("org", 0) is None else {**org, **given.get("org", {})},
            "person": {**person, **given.get("person", {})},
        }  # fmt: skip
        made = self.play("create_deal", **about)
        return Signing(int(made["deal"]), made["organization"], company, names)

    def sign(self, one: Signing) -> None:
        """The gesture of a salesperson, with a change right before and one right after it that must lead to nothing."""
        self.play("edit_deal", deal=one.deal, title=f"{one.company} signed")
        self.play("move_stage", deal=one.deal)
        self.play("edit_deal", deal=one.deal, title=one.company)

    def valid(self) -> Iterator[Signing]:
        """Those that must become customers."""
        return (one for one in self.signings if not one.names)

    def invalid(self) -> Iterator[Signing]:
        """Those that must become one review item each."""
        return (one for one in self.signings if one.names)

    def play(self, verb: str, **params: Any) -> Any:
        """Make something happen in the CRM."""
        return self.sandbox.post(f"/_play/pipedrive/{verb}", params)
