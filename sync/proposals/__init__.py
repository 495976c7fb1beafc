"""What people ask for, change and take back: through the same gates, with another person's yes where it matters."""

from sync.proposals.asking import PERMISSION, REASON_LENGTH, preview, propose
from sync.proposals.editing import edit
from sync.proposals.undoing import roll_back

__all__ = ["PERMISSION", "REASON_LENGTH", "edit", "preview", "propose", "roll_back"]
