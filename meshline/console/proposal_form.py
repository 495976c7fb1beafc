"""The form of an action that a person asks for or edits, made from what its kind asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ledger import money
from ledger.words import from_identifier
from sync import actions
from sync.actions.params import Text, Texts

PREFIX = "params."
LABELS = {
    "amount_minor": "Amount", "undoes": "What it undoes", "invoice": "Invoice id", "payment": "Payment id (pi_ or ch_)",
    "when": "When it ends", "window": "Safety window before an end at once", "subscription": "Subscription id",
    "text": "Text of the note", "tags": "Tags, one a line", "reason": "Reason as the payment provider keeps it",
    "ticket": "Ticket it was asked for in, by its number",
}  # fmt: skip
# Rules as people say them; the service says the exact one where it is broken.
HINTS = {
    "amount_minor": "in the currency's own units, such as 12.34", "currency": "three small letters, such as usd",
    "payment": "as the payment provider shows it: it begins with pi_, ch_ or py_",
    "subscription": "only to be sure: it begins with sub_",
    "invoice": "as the payment provider shows it: it begins with in_", "plan": "the plan's name in the ERP",
    "ticket": "the ticket is told inside once the refund is confirmed",
    "tags": "small letters, digits, - and _", "text": "stays inside the support desk, the customer does not see it",
}  # fmt: skip
MOST_TYPED = 5000


@dataclass(frozen=True, slots=True)
class Field:
    """One input: its name in the form, its label, its rule in words, what is in it, and how it is drawn."""

    name: str
    label: str
    rule: str
    value: str
    required: bool
    choices: tuple[tuple[str, str], ...] = ()
    longest: int = 255
    lines: bool = False
    number: bool = False


def fields(kind: str, given: Mapping[str, str]) -> list[Field]:
    """The inputs of a kind, filled with what was typed."""
    return [_field(name, rule, given.get(name, "")) for name, rule in actions.get(kind).asks_for.items()]


def _field(name: str, rule: Any, value: str) -> Field:
    choices = tuple((one, from_identifier(one)) for one in getattr(rule, "choices", ()))
    is_text, is_list = isinstance(rule, Text), isinstance(rule, Texts)
    longest = rule.most if isinstance(rule, Text) else MOST_TYPED if is_list else 40
    label = LABELS.get(name) or from_identifier(name)
    words = HINTS.get(name) or ("" if choices else rule.rule())
    return Field(
        PREFIX + name, label, words, value, rule.is_required, choices, longest, is_list or longest > 300,
        not (is_text or is_list),
    )  # fmt: skip


def typed(post: Mapping[str, str]) -> dict[str, str]:
    """What was typed into the inputs, by the names of the parameters."""
    return {
        name.removeprefix(PREFIX): str(post[name]).replace("\x00", "")[:MOST_TYPED]
        for name in post
        if name.startswith(PREFIX)
    }


def text_of(kind: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as they stand in the inputs."""
    told = {}
    for name in actions.get(kind).asks_for:
        value = params.get(name)
        if value is None:
            continue
        if name == "amount_minor" and isinstance(value, int):
            told[name] = major(value, str(params.get("currency", "")))
        else:
            told[name] = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
    return told


def params(kind: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters from what was typed. What cannot be read is handed on as it is: the service names field and rule."""
    made: dict[str, Any] = {}
    for name, rule in actions.get(kind).asks_for.items():
        text = given.get(name, "").strip()
        if not text:
            continue
        if isinstance(rule, Texts):
            made[name] = [line.strip() for line in text.splitlines() if line.strip()]
        elif isinstance(rule, Text):
            made[name] = text.replace("\r\n", "\n")
        elif name == "amount_minor":
            made[name] = minor(text, given.get("currency", ""))
        else:
            made[name] = int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 19 else text
    return made


def minor(text: str, currency: str) -> Any:
    """`12.34` in minor units of the currency; the text itself when it is no amount of it."""
    places = money.exponent(currency.strip())
    whole, point, part = text.replace(",", "").partition(".")
    digits = whole + part
    is_number = digits.isascii() and digits.isdigit() and bool(whole) and len(digits) < 19
    if places is None or not is_number or (point and not 0 < len(part) <= places):
        return text
    return int(whole) * 10**places + int(part.ljust(places, "0") or 0)


def major(amount: int, currency: str) -> str:
    """Minor units as people type them."""
    places = money.exponent(currency)
    if not places:
        return str(amount)
    whole, part = divmod(abs(amount), 10**places)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{places}d}"
