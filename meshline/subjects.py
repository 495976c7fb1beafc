"""Whose steps the ledger tells: every kind of subject, for checking the whole of it."""

from gates.models import (
    AlertEpisode,
    Audit,
    Automation,
    BackTest,
    Checklist,
    ChecklistStep,
    GameDay,
    GateVersion,
    Incident,
    IncidentUpdate,
    Outreach,
    ReviewItem,
    Segment,
    StopSwitch,
    Ticket,
)
from ledger import verify
from ledger.states import Stateful
from ledger.verify import Subject
from sync.models import Delta, Dispute, Erasure, LinkImport, MappingVersion, PortalLink, Refund, SyncError, SyncRun

SUBJECTS = {
    **verify.RECORDS, "stop": Subject(StopSwitch, "scope"), "rollout": Subject(Automation, "name"),
    "checklist": Subject(Checklist), "checklist_step": Subject(ChecklistStep),
    "portal_link": Subject(PortalLink), "link_import": Subject(LinkImport),
    "delta": Subject(Delta), "dispute": Subject(Dispute), "refund": Subject(Refund),
    "incident": Subject(Incident), "incident_update": Subject(IncidentUpdate), "outreach": Subject(Outreach),
    "alert_episode": Subject(AlertEpisode), "ticket": Subject(Ticket),
    "backtest": Subject(BackTest), "gameday": Subject(GameDay), "audit": Subject(Audit),
    "erasure": Subject(Erasure),
    "sync_run": Subject(SyncRun), "sync_error": Subject(SyncError),
}  # fmt: skip
# A shipped gate begins in force and a drafted one as a draft, a segment begins where its automation is, so their
# chains have no one beginning.
UNCHAINED: dict[str, type[Stateful]] = {
    **verify.UNCHAINED, "item": ReviewItem, "gate": GateVersion, "mapping": MappingVersion, "segment": Segment,
}  # fmt: skip
# Of these, what rows tell of can be replayed all the same. Events and items move without rows when nobody decides.
BEGUN_ANYWHERE = {
    "gate": Subject(GateVersion, "name || ':' || version"), "mapping": Subject(MappingVersion, "number"),
    "segment": Subject(Segment),
}  # fmt: skip
NOT_REPLAYED = tuple(kind for kind in UNCHAINED if kind not in BEGUN_ANYWHERE)
