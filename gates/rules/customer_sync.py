"""What becomes of one customer of the ERP at the billing system: the whole decision table, as a pure function.

The order is strict: the id that the ERP holds, then the id that our own books hold, then the e-mail address. An
address only ever finds a customer; it never moves a link that is there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_ONE_ADDRESS = re.compile(
    r"[^\s@;,<>\"()\[\]\\]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_BETWEEN = re.compile(r"[;,\s]+")
LONGEST_EMAIL = 254


class Outcome(StrEnum):
    """What is to be done with a customer."""

    CREATE = "create"
    LINK = "link"  # one that exists: taken over at the billing system, its id written to the ERP
    WRITE_BACK = "write_back"  # done at the billing system before, the ERP does not know it yet
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    REVIEW = "review"
    ERROR = "error"


class ErrorClass(StrEnum):
    """The eight sorts of trouble that an operator sorts by."""

    CONNECTION = "connection"
    DUPLICATE = "duplicate"
    INTERMITTENT = "intermittent"
    MISSING = "missing"
    PARSE = "parse"
    RATE_LIMIT = "rate_limit"
    TOO_LARGE = "too_large"
    VALUE = "value"


# code -> (class, sentence for a person). A configuration code is one fault of the set-up, not one of each record.
REASONS: dict[str, tuple[ErrorClass, str]] = {
    "missing_email": (ErrorClass.MISSING, "there is no e-mail address and no billing id to find the customer by"),
    "several_addresses": (ErrorClass.VALUE, "the e-mail field holds several addresses; which one pays is not guessed"),
    "bad_email": (ErrorClass.VALUE, "the e-mail field holds no address that mail can be sent to"),
    "several_matches": (ErrorClass.DUPLICATE, "several customers of the billing system have this e-mail address"),
    "shared_email": (ErrorClass.DUPLICATE, "another customer of the ERP has this e-mail address and is linked by it"),
    "linked_elsewhere": (ErrorClass.DUPLICATE, "the billing customer belongs to another customer of the ERP"),
    "id_changed": (ErrorClass.DUPLICATE, "the ERP holds another billing id than the one we linked; only a blank moves"),
    "old_still_billed": (ErrorClass.DUPLICATE, "subscriptions still run on the billing customer it was linked to"),
    "deleted": (ErrorClass.MISSING, "the linked billing customer was deleted; nothing is created in its place"),
    "gone": (ErrorClass.MISSING, "the ERP has it no more, perhaps merged into another; its billing customer is linked"),
    "missing_name": (ErrorClass.VALUE, "there is neither a company name nor a first and last name"),
    "too_long": (ErrorClass.TOO_LARGE, "a field is longer than the billing system takes"),
    "bad_country": (ErrorClass.VALUE, "the country of an address is not a two-letter code"),
    "other_mode": (ErrorClass.CONNECTION, "the billing id belongs to the other mode (test or live) of the account"),
    "other_account": (ErrorClass.CONNECTION, "the billing id is not known in the account that its subsidiary goes by"),
    "foreign_account": (ErrorClass.CONNECTION, "the billing id is of another account than its subsidiary goes by"),
    "moved_account": (ErrorClass.CONNECTION, "it is linked in another billing account than its subsidiary goes by now"),
    "account_not_connected": (ErrorClass.CONNECTION, "the billing account of its subsidiary is not connected"),
}  # fmt: skip
CONFIGURATION = frozenset({"other_mode", "other_account", "foreign_account", "moved_account", "account_not_connected"})
IN_ACCOUNT = "known_in_account_"  # a note that begins so names the account which knows the id
SKIPS = {
    "inactive": "it is inactive in the ERP; nothing is created and an existing link stays",
    "under_way": "an earlier change of it is still under way",
    "erased": "the person asked to be forgotten; nothing of them is read or written here",
    "observed": "the automation only observes",
}


@dataclass(frozen=True, slots=True)
class Payer:
    """A customer as the billing system has it. `erp_customer` is the ERP's id it says it belongs to.

    `holder` is the ERP's id of another customer that our books link it to; empty where there is none.
    """

    id: str
    created: int = 0  # Unix seconds
    is_live: bool = False
    is_deleted: bool = False
    erp_account: str = ""
    erp_customer: str = ""
    holder: str = ""
    subscriptions: int | None = None  # running ones; None where nobody asked


@dataclass(frozen=True, slots=True)
class Absent:
    """The account does not know the id; `in_other_mode` where it says that the other mode does.

    `in_account` is another account of ours that knows it.
    """

    in_other_mode: bool = False
    in_account: str = ""


@dataclass(frozen=True, slots=True)
class SyncFacts:
    """Everything that one decision depends on.

    `stored_id` is what the ERP's field holds, `known_id` what our books hold; `is_written_back` says that the ERP was
    seen with `known_id` before, so that a blank field there was blanked on purpose. `found` is what stands behind the
    id in question, `by_email` who has the address: None where nobody asked. `differs` says whether a mapped field or
    the back-reference is another one there. `email_holder` is another customer of the ERP that has the address and
    has, or is about to get, a billing customer.
    """

    account: str
    internal_id: str
    email: str = ""
    is_inactive: bool = False
    is_erased: bool = False  # the person asked to be forgotten
    stored_id: str = ""
    known_id: str = ""
    is_written_back: bool = False
    is_connected: bool = True
    is_same_account: bool = True  # our books' link is of the account and the mode that is connected now
    is_under_way: bool = False
    is_settled: bool = False  # nothing changed since it was confirmed last: nobody has to be asked
    is_shared_payer: bool = False
    found: Payer | Absent | None = None
    by_email: tuple[Payer, ...] | None = None
    email_holder: str = ""
    old_subscriptions: int = 0
    differs: bool | None = None
    lacks_page: bool = False  # the ERP was not seen with the address of the customer's billing page
    faults: tuple[str, ...] = ()  # codes of what of it cannot be sent


@dataclass(frozen=True, slots=True)
class SyncDecision:
    """What to do and why. `billing_id` is the customer it is about, `candidates` those a person chooses between.

    `is_new_generation`: the link was cleared on purpose, so what is made now is another one than before.
    """

    outcome: Outcome
    code: str = ""
    billing_id: str = ""
    candidates: tuple[Payer, ...] = ()
    notes: tuple[str, ...] = ()
    is_new_generation: bool = False

    @property
    def error_class(self) -> ErrorClass | None:
        """The sort of trouble, where it is one."""
        return REASONS[self.code][0] if self.code in REASONS else None

    @property
    def is_configuration(self) -> bool:
        """Whether the set-up is wrong, and not this record."""
        return self.code in CONFIGURATION

    @property
    def sentence(self) -> str:
        """Why, for a person; empty where it was simply done."""
        return REASONS[self.code][1] if self.code in REASONS else SKIPS.get(self.code, "")


def addresses(email: str) -> tuple[str, ...]:
    """The addresses that an e-mail field holds, each normalised."""
    return tuple(normalised(one) for one in _BETWEEN.split(email.strip()) if one)


def normalised(address: str) -> str:
    """An address for comparison: no blanks around it, its domain in small letters. The part before @ keeps its case."""
    name, at, domain = address.strip().rpartition("@")
    return f"{name}@{domain.lower()}" if at else address.strip()


def same_key(address: str) -> str:
    """What two addresses have in common that reach the same person: everything in small letters."""
    return normalised(address).lower()


def is_address(address: str) -> bool:
    """Whether mail can be sent to it."""
    well = len(address) <= LONGEST_EMAIL and ".." not in address and not address.startswith(".")
    return well and _ONE_ADDRESS.fullmatch(address) is not None


def spellings(email: str) -> tuple[str, ...]:
    """The forms to ask an exact, case-sensitive search for: as stored, normalised, all small; each once."""
    stored = email.strip()
    return tuple(dict.fromkeys((stored, normalised(stored), stored.lower()))) if stored else ()


def decide(facts: SyncFacts) -> SyncDecision:
    """What becomes of one customer. The same facts give the same answer."""
    if facts.is_erased:
        return SyncDecision(Outcome.SKIP, "erased")
    if facts.is_under_way:
        return SyncDecision(Outcome.SKIP, "under_way")
    if not facts.is_connected:
        return _trouble("account_not_connected")
    if not facts.is_same_account:
        return _trouble("moved_account", facts.known_id)
    if facts.is_inactive:
        return SyncDecision(Outcome.SKIP, "inactive", facts.stored_id or facts.known_id)
    if facts.stored_id:
        return _by_stored(facts)
    if facts.known_id and not facts.is_written_back:
        return _half_done(facts)
    return _by_email(facts)


def _by_stored(facts: SyncFacts) -> SyncDecision:
    """The ERP names a billing customer: that one it is, whatever its address."""
    wanted = facts.stored_id
    if facts.known_id and facts.known_id != wanted:
        return _ask("id_changed", wanted, _payers(facts.found))
    same = Outcome.WRITE_BACK if facts.lacks_page else Outcome.UNCHANGED
    if facts.is_settled:
        return SyncDecision(same, billing_id=wanted)
    refused = _unusable(facts, wanted)
    if refused is not None:
        return refused
    fault = _fault(facts, needs_email=False)
    if fault:
        return _ask(fault, wanted) if fault == "several_addresses" else _trouble(fault, wanted)
    others = tuple(one for one in facts.by_email or () if one.id != wanted)
    notes = ("email_also_on",) if others else ()
    outcome = Outcome.UPDATE if facts.differs else same
    return SyncDecision(outcome, billing_id=wanted, candidates=others, notes=notes)


def _half_done(facts: SyncFacts) -> SyncDecision:
    """Made or taken over before, and never written back: only that is left to do."""
    refused = _unusable(facts, facts.known_id)
    return refused or SyncDecision(Outcome.WRITE_BACK, billing_id=facts.known_id)


def _unusable(facts: SyncFacts, wanted: str) -> SyncDecision | None:
    """Why the billing customer behind an id cannot be worked with; None when it can."""
    found = facts.found
    if isinstance(found, Absent) or found is None:
        if found is None:
            return _trouble("other_account", wanted)
        code = "other_mode" if found.in_other_mode else "foreign_account" if found.in_account else "other_account"
        notes = (f"{IN_ACCOUNT}{found.in_account}",) if found.in_account else ()
        return SyncDecision(Outcome.ERROR, code, wanted, notes=notes)
    if found.is_deleted:
        return _ask("deleted", wanted, (found,))
    if _is_others(found, facts) and not facts.is_shared_payer:
        return _ask("linked_elsewhere", wanted, (found,))
    return None


def _by_email(facts: SyncFacts) -> SyncDecision:
    """No id anywhere, or blanked on purpose: the address finds at most one, or a person chooses."""
    was_cleared = bool(facts.known_id)
    fault = _fault(facts, needs_email=True)
    if fault in ("missing_email", "several_addresses"):
        return _ask(fault)
    if fault:
        return _trouble(fault)
    found = facts.by_email or ()
    own = tuple(one for one in found if _is_own(one, facts))
    if len(own) == 1:
        return _relinked(facts, own[0], was_cleared)
    if facts.email_holder and not facts.is_shared_payer:
        return _ask("shared_email", candidates=found)
    if not found:
        if facts.old_subscriptions:
            return _ask("old_still_billed", facts.known_id)
        return SyncDecision(Outcome.CREATE, is_new_generation=was_cleared)
    if len(found) > 1:
        return _ask("several_matches", candidates=found)
    if _is_others(found[0], facts) and not facts.is_shared_payer:
        return _ask("linked_elsewhere", found[0].id, found)
    return _relinked(facts, found[0], was_cleared)


def _relinked(facts: SyncFacts, payer: Payer, was_cleared: bool) -> SyncDecision:
    if was_cleared and payer.id != facts.known_id and facts.old_subscriptions:
        return _ask("old_still_billed", facts.known_id, (payer,))
    return SyncDecision(Outcome.LINK, billing_id=payer.id, is_new_generation=was_cleared)


def _fault(facts: SyncFacts, *, needs_email: bool) -> str:
    """The first thing of the record that cannot be sent; empty when all can."""
    found = addresses(facts.email)
    if not found and needs_email:
        return "missing_email"
    if len(found) > 1:
        return "several_addresses"
    if found and not is_address(found[0]):
        return "bad_email"
    return facts.faults[0] if facts.faults else ""


def _is_own(payer: Payer, facts: SyncFacts) -> bool:
    """It says itself that it was made for this very customer."""
    return payer.erp_customer == facts.internal_id and payer.erp_account == facts.account and not payer.holder


def _is_others(payer: Payer, facts: SyncFacts) -> bool:
    """It belongs to another customer of the ERP, by our books or by its own word."""
    if payer.holder:
        return payer.holder != facts.internal_id
    says_other = payer.erp_customer not in ("", facts.internal_id)
    return says_other and payer.erp_account in ("", facts.account)


def _payers(found: Payer | Absent | None) -> tuple[Payer, ...]:
    return (found,) if isinstance(found, Payer) else ()


def _ask(code: str, billing_id: str = "", candidates: Sequence[Payer] = ()) -> SyncDecision:
    return SyncDecision(Outcome.REVIEW, code, billing_id, tuple(candidates))


def _trouble(code: str, billing_id: str = "") -> SyncDecision:
    return SyncDecision(Outcome.ERROR, code, billing_id)
