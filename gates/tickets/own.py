"""What we wrote on tickets, by fingerprint: how a change that comes back as an event is told from anybody else's."""

from collections.abc import Iterable, Sequence

from gates.models import Ticket

MOST = 30


def remember(written: Sequence[tuple[str, Iterable[str], str]]) -> None:
    """Keep (ticket, fingerprints, action id) of confirmed writes with tickets that are known; the caller's transaction.

    No step of the ticket: neither its state nor its version changes by it.
    """
    held = {one.number: one for one in _locked([number for number, _, _ in written])}
    for number, prints, action in written:
        one = held.get(number)
        if one is not None:
            one.own = [*one.own, *([name, action] for name in prints)][-MOST:]
            Ticket.objects.filter(pk=one.pk).update(own=one.own)


def action_behind(one: Ticket, print_: str) -> str:
    """The action of ours that wrote this; "" where none did."""
    return next((action for name, action in reversed(one.own) if name == print_), "")


def forget(one: Ticket, print_: str) -> None:
    """Its event came: the same change once more would be somebody else's. Unsaved."""
    place = next((n for n, (name, _) in enumerate(one.own) if name == print_), None)
    if place is not None:
        one.own = one.own[:place] + one.own[place + 1 :]


def _locked(numbers: Iterable[str]) -> list[Ticket]:
    return list(Ticket.objects.select_for_update(of=("self",)).filter(number__in=set(numbers)).order_by("pk"))
