"""What of drills and reviews is overdue, for Home; nothing there while all is on time."""

from django.http import HttpRequest
from django.urls import reverse

from gates import audits
from ledger import clock, sets
from meshline.console.home_card import Card
from sync import gameday

# Everything that the cards rest on, in one statement: Home is drawn often.
STANDS = """
select (select max(started_at) from gates_gameday where state = 'passed'),
       (select received_at from ledger_event order by id limit 1),
       (select count(*) from gates_audit where state = 'open' and due_at < %(now)b),
       (select min(due_at) from gates_audit where state = 'open' and due_at < %(now)b)"""


def cards(request: HttpRequest) -> list[Card]:
    """Red ones only."""
    found: list[Card] = []
    may = request.user.has_perm
    if not (may(gameday.VIEW) or may(audits.VIEW)):
        return found
    drilled, began, late, oldest = sets.run(STANDS, {"now": clock.now()})[0]
    stands = gameday.standing_of(gameday.Drilled(drilled) if drilled else None, began)
    if may(gameday.VIEW) and stands.is_overdue:
        about = "a drill of the emergency stop that passed, once in 30 days"
        found.append(Card("Drill", "overdue", reverse("admin:gamedays"), stands.sentence, about, "red"))
    if may(audits.VIEW) and late:
        about = "planned reviews past their due date"
        found.append(Card("Reviews overdue", late, reverse("admin:audits"), f"since {oldest:%Y-%m-%d}", about, "red"))
    return found
