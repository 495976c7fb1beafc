"""What a message about an incident says: the template's words, the incident's facts, the customer's own name."""

from collections.abc import Mapping
from dataclasses import dataclass

from gates.incidents import templates
from gates.models import IncidentUpdate

NAMELESS = "there"


@dataclass(frozen=True, slots=True)
class Letter:
    """Subject and body. `{company}` is still in them until `to` has filled it in."""

    subject: str
    body: str

    def to(self, company: str) -> "Letter":
        """The same for one customer."""
        values = {templates.LATE: templates.plain(company, 120) or NAMELESS}
        return Letter(templates.fill(self.subject, values), templates.fill(self.body, values))


def draft(update: IncidentUpdate) -> Letter:
    """The letter of an update with everything filled in but the customer's own name."""
    one, template = update.incident, update.template
    values = {
        "incident": one.title, "reference": str(one), "severity": str(one.severity), "status": update.text,
        "started": f"{one.started_at:%Y-%m-%d %H:%M} UTC", "number": str(update.number),
    }  # fmt: skip
    return Letter(_filled(template.subject, values), _filled(template.body, values))


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Braces in what people typed are no variables, now or later."""
    inert = {name: value.replace("{", "(").replace("}", ")") for name, value in values.items()}
    return templates.fill(text, inert, but=templates.LATE)
