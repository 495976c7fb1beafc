"""The cards of Home: six numbers, each a link to the list that makes it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from gates import audits
from ledger import cells
from meshline.console import home_kpis, parts
from meshline.console.home_card import Card
from meshline.console.home_kpis import Figures
from meshline.console.home_numbers import MOST, Numbers, capped


def of(request: HttpRequest, seen: Numbers, figures: Figures) -> list[Card]:
    """Those this person may see. The first six have the keys 1 to 6, which stay the same for everybody."""
    may = request.user.has_perm
    shown: list[Card] = []
    if may("gates.view_reviewitem"):
        shown += [replace(one, key=str(key)) for key, one in enumerate(queue(seen), 1)]
    if may("ledger.view_action"):
        shown.append(replace(failed(seen), key="4"))
    if may(home_kpis.REVENUE):
        shown.append(replace(at_risk(figures), key="5"))
    if may(home_kpis.VIEW):
        shown.append(replace(corrections(figures), key="6"))
    return shown + list(late_reviews(seen)) if may(audits.VIEW) else shown


def queue(seen: Numbers) -> Sequence[Card]:
    """What waits for people: all of it, what is late, and what waits for a second person."""
    address = reverse("admin:gates_reviewitem_changelist")
    oldest, agreed = seen.age("waiting_oldest"), seen.age("agreed_oldest")
    return (
        Card(
            "Waiting", seen.shown("waiting"), address,
            f"oldest {cells.length(oldest)}" if oldest else "nobody waits for you",
            f"Review items that are not resolved, whoever holds them; counted up to {MOST:,}.",
        ),
        Card(
            "Breached", seen.shown("late"), f"{address}?tab=breached",
            f"{seen.shown('soon')} with those due in 1 h" if seen["soon"] else "none due within 1 h",
            "Review items past their due time whose clock does not rest.", "red" if seen["late"] else "",
            f"{address}?due=hour" if seen["soon"] else "",
        ),
        Card(
            "Second approval", seen.shown("agreed"), f"{address}?tab=second",
            f"oldest {cells.length(agreed)}" if agreed else "none waits for a second person",
            "Review items that one person agreed to and that need another one.", "amber" if seen["agreed"] else "",
        ),
    )  # fmt: skip


def failed(seen: Numbers) -> Card:
    """What did not work, or of which nobody knows whether it did."""
    unknown, since = seen["unknown"], seen.age("unknown_since")
    both = seen["failed"] + unknown
    return Card(
        "Failed, unknown", capped(both), parts.list_of("ledger_action", state="trouble"),
        f"{capped(unknown)} unknown" + (f", {cells.length(since)}" if since else "") if unknown else "none is unknown",
        "Actions the provider refused for good, and those that were sent and whose answer was lost.",
        "red" if both else "", parts.list_of("ledger_action", state="unknown") if unknown else "",
        "amber" if unknown else "",
    )  # fmt: skip


def at_risk(figures: Figures) -> Card:
    """Money due on invoices whose payment failed, by the last day that was computed."""
    name = "revenue_at_risk"
    amounts = figures.amounts(name)
    (number, code), others = amounts[0] if amounts else ("–", ""), [f"{one} {other}" for one, other in amounts[1:]]
    about = ", ".join(filter(None, [code, f"and {', '.join(others)}" if others else "", figures.day_words(name)]))
    return Card(
        "Revenue at risk", number, home_kpis.address(name), about,
        home_kpis.formula(name), at=figures.computed_at(name),
    )  # fmt: skip


def corrections(figures: Figures) -> Card:
    """The share of what automations decided in seven days that people put right."""
    name = "false_positive_rate"
    share, target, judged = figures.share(name, days=7), home_kpis.target(name, figures), figures.judged(name, days=7)
    over = share is not None and target is not None and share > target
    about = f"of {judged:,} decisions; target under {target:.0%}".replace("%", " %") if target is not None else ""
    return Card(
        "Corrections, 7\u00a0d", f"{share:.1%}".replace("%", " %") if share is not None else "–",
        home_kpis.address(name), about if share is not None else figures.day_words(name),
        f"{home_kpis.formula(name)} Seven days together.", "red" if over else "", at=figures.computed_at(name),
    )  # fmt: skip


def late_reviews(seen: Numbers) -> Iterator[Card]:
    """Planned reviews past their time; nothing while all are on time."""
    if seen["reviews"]:
        since: Any = seen["reviews_oldest"]
        about = "Planned reviews past their due date."
        yield Card("Reviews overdue", seen["reviews"], reverse("admin:audits"), f"since {since:%Y-%m-%d}", about, "red")
