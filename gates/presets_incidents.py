"""What every installation starts with for incidents: the first version of two messages."""

from gates.models import OutreachTemplate

MESSAGES = (
    {
        "name": "incident-update", "title": "Incident update",
        "subject": "{incident} (update {number})",
        "body": "Hello {company},\n\nsince {started} we have had trouble that may touch you: {incident}.\n\n"
        "{status}\n\nYou can answer this message; it reaches the people who look after you.\n\n{reference}",
    },
    {
        "name": "incident-solved", "title": "Incident solved",
        "subject": "Solved: {incident}",
        "body": "Hello {company},\n\nthe trouble that began {started} is over: {incident}.\n\n{status}\n\n"
        "We are sorry. If anything still looks wrong, answer this message.\n\n{reference}",
    },
)  # fmt: skip


def install() -> None:
    """Make them where there is no version; what people wrote since is left alone."""
    for one in MESSAGES:
        if not OutreachTemplate.objects.filter(name=one["name"]).exists():
            OutreachTemplate.objects.create(version=1, **one)
