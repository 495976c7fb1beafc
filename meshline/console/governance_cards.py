"""What of drills and reviews is overdue, for Home; nothing there while all is on time."""

from django.http import HttpRequest
from django.urls import reverse

from gates import audits
from meshline.console.home_card import Card
from sync import gameday


def cards(request: HttpRequest) -> list[Card]:
    """Red ones only."""
    found = []
    if request.user.has_perm(gameday.VIEW):
        stands = gameday.standing()
        if stands.is_overdue:
            about = "a drill of the emergency stop that passed, once in 30 days"
            found.append(Card("Drill", "overdue", reverse("admin:gamedays"), stands.sentence, about, "red"))
    if request.user.has_perm(audits.VIEW):
        late = audits.overdue().count()
        if late:
            oldest = audits.overdue().first()
            since = f"since {oldest.due_at:%Y-%m-%d}" if oldest else ""
            about = "planned reviews past their due date"
            found.append(Card("Reviews overdue", late, reverse("admin:audits"), since, about, "red"))
    return found
