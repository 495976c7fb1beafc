"""Nothing of ours says that something was done for a customer, but what is made of a confirmed action."""

import ast
import re
from pathlib import Path

import pytest

from gates import claims
from gates.claims import saying

ROOT = Path(__file__).resolve().parents[2]
# Where words that people outside read are made: tickets, mails, messages, chat, and the pages.
PLACES = ("gates/playbooks", "gates/incidents", "gates/presets_incidents.py", "gates/presets_tickets.py",
          "gates/tickets", "sync/actions", "sync/incidents", "sync/slack", "sync/refunds", "sync/disputes",
          "sync/cancellations", "sync/tickets", "sync/onboarding", "meshline/console")  # fmt: skip
# What says so and may: made of a confirmation of ours, or of what the provider's own record was just read to say and
# told to nobody outside.
MADE_OF_CONFIRMED = {
    "sync/actions/refund_note.py words": "of the applied row of the refund, or not at all",
    "sync/actions/refund_note.py preview": "what that note will be about",
    "gates/playbooks/disputes.py after_applied": "what follows a confirmed refund, with its amount",
    "gates/playbooks/dunning.py after_applied": "what follows a confirmed change of the contract",
    "gates/playbooks/cancellations.py after_applied": "what follows a cancellation that billing confirmed",
    "gates/playbooks/refunds.py after_applied": "what follows a confirmed refund",
    "sync/refunds/following.py _to_do": "of our own applied note, when the refund failed after all",
    "sync/cancellations/hearing.py ended": "the verdict on an event that billing sent",
}
READ_FROM_THE_PROVIDER = {
    "withdraw_reason", "unfit", "_wrong_amount", "plan", "_lines", "_answer_bank", "_ended", "_failed", "handle",
    "_happened", "preview",
}  # fmt: skip
HELP = {"sync/actions/invoice.py", "sync/actions/refund.py", "sync/disputes/models.py"}  # of a kind or a column
PAGES = {
    "meshline/console/backtest_pages.py cancel": "of a run of ours, not of a contract",
    "meshline/console/dispute_pages.py _details": "the name of an amount read at the provider",
    "meshline/console/onboarding_pages.py _figures": "the formula of a figure",
    "meshline/console/pages/contract.py _sentence": "of the contract's state, which only a confirmation sets",
}
TAGS = re.compile(r"{%.*?%}|{{.*?}}|<[^>]+>", re.DOTALL)


def files(*suffixes):
    for place in PLACES:
        path = ROOT / place
        yield from (path,) if path.is_file() else sorted(one for one in path.rglob("*") if one.suffix in suffixes)


def literals(tree):
    """(function, line, text) of each text that is no docstring; what is filled in stands as 50."""

    def walk(node, function):
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef) else function
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.JoinedStr):
                yield (
                    inside,
                    child.lineno,
                    "".join(part.value if isinstance(part, ast.Constant) else "50" for part in child.values),
                )
            elif isinstance(child, ast.Constant) and isinstance(child.value, str):
                yield inside, child.lineno, child.value
            else:
                yield from walk(child, inside)

    yield from walk(tree, "")


def says_done(text):
    if len(text.split()) < 2 or "\\b" in text or "select " in text.lower():
        return False
    return any(one.sense is claims.Sense.DONE for each in claims.read(text) for one in each.claims)


def may_say(path, function):
    named = f"{path} {function}"
    is_read = function in READ_FROM_THE_PROVIDER and path.startswith(("gates/", "sync/"))
    return named in MADE_OF_CONFIRMED or named in PAGES or is_read or (not function and path in HELP)


def test_no_text_of_ours_says_it_by_itself():
    found = [
        (f"{path.relative_to(ROOT)} {function}:{line}", text[:80])
        for path in files(".py")
        for function, line, text in literals(ast.parse(path.read_text()))
        if says_done(text) and not may_say(str(path.relative_to(ROOT)), function)
    ]

    assert found == [], "say it with gates.claims.saying.outcome, of the confirmed row"


def test_no_template_says_it_by_itself():
    found = [
        (path.name, line.strip()[:100])
        for path in sorted((ROOT / "templates").rglob("*.html")) if "runbooks" not in path.parts
        for line in TAGS.sub(" ", path.read_text()).splitlines() if says_done(line)
    ]  # fmt: skip

    assert found == []


@pytest.mark.parametrize(
    ("state", "confirmation", "words"),
    [
        ("applied", "re_1", "50.00 USD: confirmed by the provider (re_1)"), ("applied", "", "not confirmed yet"),
        ("sending", "re_1", "not confirmed yet"), ("unknown", "", "not confirmed yet"),
        ("failed", "", "not carried out"),
        ("compensated", "re_1", "was taken back since"), ("observed", "", "only observed"),
    ],
)  # fmt: skip
def test_an_outcome_is_said_of_what_is_confirmed(state, confirmation, words):
    said = saying.outcome("payment.refund", state, confirmation, minor=5_000, currency="usd")

    assert words in said
    assert says_done(said) is words.endswith("(re_1)")
