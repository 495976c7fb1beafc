"""Whose steps the ledger tells: every kind of subject, for checking the whole of it."""

from gates.models import (
    AlertEpisode,
    Automation,
    Checklist,
    ChecklistStep,
    GateVersion,
    Incident,
    IncidentUpdate,
    Outreach,
    ReviewItem,
    StopSwitch,
)
from ledger import verify
from ledger.states import Stateful
from ledger.verify import Subject
from sync.models import Delta, LinkImport, MappingVersion, PortalLink, SyncError, SyncRun

SUBJECTS = {
    **verify.RECORDS, "stop": Subject(StopSwitch, "scope"), "rollout": Subject(Automation, "name"),
    "checklist": Subject(Checklist), "checklist_step": Subject(ChecklistStep),
    "portal_link": Subject(PortalLink), "link_import": Subject(LinkImport),
    "delta": Subject(Delta),
    "incident": Subject(Incident), "incident_update": Subject(IncidentUpdate), "outreach": Subject(Outreach),
    "alert_episode": Subject(AlertEpisode),
    "sync_run": Subject(SyncRun), "sync_error": Subject(SyncError),
}  # fmt: skip
# A shipped gate begins in force and a drafted one as a draft, so its chain has no one beginning.
UNCHAINED: dict[str, type[Stateful]] = {
    **verify.UNCHAINED, "item": ReviewItem, "gate": GateVersion, "mapping": MappingVersion,
}  # fmt: skip
# Of these, what rows tell of can be replayed all the same. Events and items move without rows when nobody decides.
BEGUN_ANYWHERE = {
    "gate": Subject(GateVersion, "name || ':' || version"), "mapping": Subject(MappingVersion, "number"),
}  # fmt: skip
NOT_REPLAYED = tuple(kind for kind in UNCHAINED if kind not in BEGUN_ANYWHERE)
