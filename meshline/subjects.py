"""Whose steps the ledger tells: every kind of subject, for checking the whole of it."""

from gates.models import Automation, GateVersion, ReviewItem, StopSwitch
from ledger import verify
from ledger.states import Stateful
from ledger.verify import Subject

SUBJECTS = {**verify.RECORDS, "stop": Subject(StopSwitch, "scope"), "rollout": Subject(Automation, "name")}
# A shipped gate begins in force and a drafted one as a draft, so its chain has no one beginning.
UNCHAINED: dict[str, type[Stateful]] = {**verify.UNCHAINED, "item": ReviewItem, "gate": GateVersion}
