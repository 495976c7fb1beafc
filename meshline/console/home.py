"""Home: in five seconds, whether to worry and where to click. Every number is a link to the list that makes it."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from ledger import cells, clock
from meshline.console import home_blocks, home_burn, home_cards, home_kpis, home_numbers, home_systems, setup_steps
from meshline.console.home_numbers import Numbers
from sync import alerts, gameday
from sync.alerts import desk

MOST_ALERTS = 8
# Blocks of the wide column and what one needs to see them.
NEEDS = {
    "burn": "gates.view_reviewitem", "next": "gates.view_reviewitem", "failures": "gates.view_reviewitem",
    "automations": "gates.view_automation", "reconcile": "sync.view_reconcilerun", "kpis": home_kpis.VIEW,
}  # fmt: skip
QUEUE_FIRST = ("next", "burn", "failures", "automations", "reconcile", "kpis")
# What each team looks at first; everybody has the same blocks. The first team of a person that is named here decides.
ORDERS = {
    "Revenue Ops Lead": ("automations", "reconcile", "kpis", "burn", "next", "failures"),
    "Automation Engineer": ("automations", "failures", "reconcile", "kpis", "next", "burn"),
    "Support Manager": ("burn", "next", "failures", "kpis", "automations", "reconcile"),
    "Product Ops": ("failures", "burn", "next", "kpis", "automations", "reconcile"),
    "Billing Resolver": ("next", "failures", "burn", "reconcile", "automations", "kpis"),
    "Support": QUEUE_FIRST,
    "Auditor": ("reconcile", "kpis", "automations", "failures", "burn", "next"),
}


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything on the page; blocks a person may not see are absent, and nothing is read for them."""
    may, seen = request.user.has_perm, home_numbers.read(request.user)
    figures, setup = home_kpis.load(request), setup_steps.checklist(request, seen)
    is_new = setup is not None and setup.is_new
    order = [name for name in order_for(seen["teams"] or ()) if may(NEEDS[name])]
    shown: dict[str, Any] = {
        "setup": setup, "is_new": is_new, "computed_at": clock.now(), "drill": drill(seen, visible=may(gameday.VIEW)),
        "cards": [] if is_new else home_cards.of(request, seen, figures),
        "alerts": alerts.on_now(MOST_ALERTS) if may(desk.VIEW) else [], "may_acknowledge": may(desk.TAKE),
        "works": [one for one in home_systems.works(seen) if may(one["needs"])],
        "blocks": [f"console/home_{name}.html" for name in order],
    }  # fmt: skip
    if may("sync.view_providerstate"):
        shown["systems"] = home_systems.systems()
        shown["systems_mark"] = home_systems.mark(shown["systems"])
    return shown | {name: filled(name, figures) for name in order}


def order_for(teams: Iterable[str]) -> tuple[str, ...]:
    """The order of blocks for somebody in these teams."""
    mine = set(teams)
    return next((order for team, order in ORDERS.items() if team in mine), QUEUE_FIRST)


def filled(name: str, figures: home_kpis.Figures) -> Any:
    """What one block shows."""
    if name == "burn":
        day = home_burn.today()
        return "" if day.is_empty else home_burn.drawn(day)
    if name == "automations":
        return home_blocks.automations(figures)
    if name == "kpis":
        return home_kpis.strip(figures)
    return {"next": home_blocks.next_items, "failures": home_blocks.failures, "reconcile": home_blocks.reconciliation}[
        name
    ]()


def drill(seen: Numbers, *, visible: bool) -> dict[str, Any] | None:
    """When the stop was drilled last and how fast it halted, or that this is overdue."""
    if not visible:
        return None
    at, age, took = seen["drilled"], seen.age("drilled"), seen["halt_ms"]
    stands = gameday.standing_of(gameday.Drilled(at) if at else None, seen["first_event"])
    said = f"Last drill {cells.length(age)} ago" if age is not None else "Never drilled"
    if age is not None and took is not None:
        said += f", halted in {took / 1000:.1f} s"
    return {"said": said, "is_overdue": stands.is_overdue, "stands": stands.sentence}
