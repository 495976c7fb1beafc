"""The page of one automation: the way it came, what its next step needs, what is registered, and what may be done."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from gates import shadow
from gates.cells import rule_titles
from gates.models import Automation, AutomationVersion, PreviewReview, Segment
from gates.models.automation import STEPS
from gates.rollout import RANK, SHARE, evidence, ladder, people, previews, registration
from gates.rollout.ladder import Condition, Evidence
from ledger import cells
from ledger.models import LedgerRow
from ledger.readonly import actor_names, page_of
from ledger.words import from_identifier
from meshline.console import parts
from meshline.console.page import Block, Page

STAGES = {
    "shadow": "It only writes down what it would do. Nothing is sent.",
    "suggest": "It asks a person each time.",
    "canary": "It acts for one customer in a hundred and asks a person for the others.",
    "ten": "It acts for ten customers in a hundred and asks a person for the others.",
    "half": "It acts for half of the customers and asks a person for the others.",
    "full": "It acts for every customer, within its rules and gates.",
    "paused": "It does nothing until somebody resumes it.",
}
LABELS = dict(Automation.State.choices)
MOST = 12


def build(request: HttpRequest, record: Automation) -> Page:
    """One automation as this person may use it."""
    one = Automation.objects.select_related("owner", "written_by").get(pk=record.pk)
    known = evidence.of([one], with_segments=True)
    conditions = ladder.conditions(known[one.name], evidence.bars())
    segments = list(Segment.objects.filter(automation=one))
    versions = list(AutomationVersion.objects.select_related("written_by").filter(automation=one)[:MOST])
    return Page(
        title=one.title,
        sentence=sentence(one),
        tag=cells.tag(one.state, one.get_state_display()),
        line=_line(one),
        main=[
            evidence_block(one, conditions), _segments(one, segments, known), _registered(one),
            _versions(one, versions), _rules(),
        ],
        side=[_previews(request, one), _doors(one), _story(one, segments)],
        back=(reverse("admin:gates_automation_changelist"), "Automations"),
        template="console/automation.html",
        more={"one": one, "way": way(one), **verbs(request, one, conditions, known[one.name])},
    )  # fmt: skip


def sentence(one: Automation) -> str:
    """What it does now, and what has happened to it if something has."""
    said = STAGES.get(str(one.state), "")
    if one.fell_at is not None:
        said += f" It lost its stage: {one.fell_why}. Its owner has to sign version {one.version} before it goes up."
    return said


def way(one: Automation) -> list[dict[str, Any]]:
    """The stages in their order, with the one it is in."""
    return [
        {"label": LABELS[step], "here": step == one.state, "past": RANK[step] < RANK[str(one.state)]} for step in STEPS
    ]


def _line(one: Automation) -> list[tuple[str, Any]]:
    owner = one.owner.get_username() if one.owner else "nobody yet"
    return [
        ("Owner", cells.theirs(f"{one.owner_group}, {owner}", 120)),
        ("Fallback", one.fallback_group),
        ("Version", f"v{one.version}"),
        ("In this stage", cells.ago(one.stage_since)),
        ("Acts for", f"{SHARE.get(str(one.state), 0)} % of the customers"),
        ("Enabled until", cells.moment(one.enabled_until) if one.enabled_until else "no end"),
    ]


def evidence_block(one: Automation, conditions: list[Condition]) -> Block:
    """Each condition of the next step with its numbers."""
    up = ladder.next_step(str(one.state))
    met = sum(each.is_met for each in conditions)
    title = f"What the step to {LABELS[up]} needs" if up else "Evidence"
    empty = (
        "It is paused. Resume it first; the stage it comes back to says what is needed from there."
        if one.state == Automation.State.PAUSED
        else "It acts for everybody. It falls by itself when it is corrected too often."
    )
    return Block(
        title,
        columns=("Condition", "Met", "Now", "Needed"),
        rows=[
            (each.title, cells.tag("applied" if each.is_met else "held", "yes" if each.is_met else "not yet"),
             cells.theirs(each.has, 300), each.needs)
            for each in conditions
        ],
        note=f"{met} of {len(conditions)} met" if conditions else "",
        empty=empty, wide=True, anchor="evidence",
    )  # fmt: skip


def _segments(one: Automation, segments: list[Segment], known: dict[str, Evidence]) -> Block:
    return Block(
        "Segments that are trusted less",
        columns=("Segment", "Stage", "Decisions", "Corrections", "Still missing"),
        rows=[
            (
                cells.theirs(part.key, 80), cells.tag(part.state, part.get_state_display()),
                f"{known[f'{one.name}/{part.key}'].decisions:,}", corrected(known[f"{one.name}/{part.key}"]),
                missing_words(known[f"{one.name}/{part.key}"]),
            )
            for part in segments
        ],
        empty="None: every tier and every kind of ticket is where the automation is.",
        wide=True, anchor="segments",
    )  # fmt: skip


def corrected(found: Evidence) -> str:
    """The correction rate with its sample."""
    return f"{ladder.percent(found.permille)} of {found.judged:,}" if found.judged else "nothing judged yet"


def missing_words(found: Evidence) -> str:
    """What its next step lacks, by title."""
    missing = ladder.unmet(found, evidence.bars())
    return ", ".join(each.title.lower() for each in missing) or "nothing"


def _registered(one: Automation) -> Block:
    said = registration.content(one)
    shown = [name for name in registration.CONTENT if name != "title"]
    return Block(
        "Registered", pairs=[(_label(name), cells.theirs(_value(said[name]), 200)) for name in shown],
        note=f"version {one.version}", anchor="registered",
    )  # fmt: skip


def _label(name: str) -> str:
    return registration.TEXTS[name][0] if name in registration.TEXTS else from_identifier(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)


def _versions(one: Automation, versions: list[AutomationVersion]) -> Block:
    rows = []
    for n, each in enumerate(versions):
        older = versions[n + 1] if n + 1 < len(versions) else None
        changed = registration.diff(each, older) if older else []
        said = "; ".join(f"{_label(name)}: {_value(before)} → {_value(after)}" for name, before, after in changed)
        who = each.written_by.get_username() if each.written_by else "Meshline"
        rows.append(
            (f"v{each.version}", cells.theirs(said or each.why, 400), cells.theirs(each.why, 120),
             cells.theirs(who, 40), cells.moment(each.written_at))
        )  # fmt: skip
    return Block(
        "Versions", columns=("Version", "What changed", "Why", "By", "When"), rows=rows,
        empty="As it was shipped; nobody changed what is registered.", wide=True, anchor="versions",
    )  # fmt: skip


def _rules() -> Block:
    return Block(
        "Built-in rules that always judge", text=", ".join(rule_titles()) + ".",
        more=("Gates on top of them", reverse("admin:gates_gateversion_changelist")),
    )  # fmt: skip


def _previews(request: HttpRequest, one: Automation) -> Block:
    waiting = previews.waiting(one).count()
    return Block(
        "Previews",
        columns=("Preview", "Said", "By"),
        rows=[
            (page_of(each.action, each.action.short), cells.theirs(_word(each), 200),
             cells.theirs(each.by.get_username(), 40))
            for each in previews.newest(one)
        ],
        note=f"{waiting:,} to review",
        empty="Nobody has reviewed a preview yet.",
        more=("Review next preview", reverse("admin:automation_previews", args=[one.name])),
    )  # fmt: skip


def _word(one: PreviewReview) -> str:
    return f"{one.get_verdict_display()}: {one.reason}" if one.reason else str(one.get_verdict_display())


def _doors(one: Automation) -> Block:
    agreed, compared = shadow.agreement(one.name)
    said = f"{100 * agreed / compared:.1f} % of {compared:,}" if compared else "nothing compared in 30 days"
    stop = f"{reverse('admin:stop')}?scope=automation:{one.name}"
    return Block(
        "Look further",
        pairs=[
            ("Agreement with people", said),
            ("When it misbehaves", cells.link(reverse("admin:automation_diagnose", args=[one.name]), "Diagnose")),
            ("This week", cells.link(reverse("admin:automation_triage"), "Triage lists")),
            ("Its actions", cells.link(parts.list_of("ledger_action", automation=one.name), "Actions")),
            ("Stop only this", cells.link(stop, "Emergency stop")),
        ],
    )


def _story(one: Automation, segments: list[Segment]) -> Block:
    keys = [str(part.pk) for part in segments]
    rows = LedgerRow.objects.filter(subject_kind="rollout", subject_id=one.name)
    rows = rows | LedgerRow.objects.filter(subject_kind="segment", subject_id__in=keys)
    found = list(rows.order_by("-id")[:MOST])
    names = actor_names(row.actor for row in found)
    return Block(
        "In the ledger",
        columns=("When", "What", "Who"),
        rows=[
            (page_of(row, cells.moment(row.recorded_at)), cells.theirs(_said(row), 160),
             cells.theirs(names.get(row.actor, row.actor), 40))
            for row in found
        ],
        empty="Nobody has moved it yet.",
    )  # fmt: skip


def _said(row: LedgerRow) -> str:
    about = f"{row.inputs.get('segment')}: " if row.inputs.get("segment") else ""
    reason = next((str(each.get("reason", "")) for each in row.reasons if isinstance(each, dict)), "")
    if row.outcome == "refused":
        return f"{about}refused ({row.error_code})"
    if row.prior_state == row.post_state:
        return f"{about}{from_identifier(row.decision)}: {reason}"
    before, after = (LABELS.get(state, state) for state in (row.prior_state, row.post_state))
    return f"{about}{before} → {after}: {reason}"


def verbs(request: HttpRequest, one: Automation, conditions: list[Condition], found: Evidence) -> dict[str, Any]:
    """The buttons of this automation for this person; one that is off says why."""
    user: Any = request.user
    may_up, may_down = user.has_perm(people.PROMOTE), people.may_lower(one, user)
    buttons = [*_steps(one, conditions, may_up=may_up, may_down=may_down), _sign(request, one, found)]
    why = "" if may_down else "Its owners and the Revenue Ops Lead pause it."
    buttons.append({"name": "quarantine", "label": "Quarantine", "why_not": why, "value": ""})
    shown = [each for each in buttons if each is not None]
    return {
        "buttons": shown, "off": [each for each in shown if each["why_not"]],
        "may_edit": user.has_perm(people.EDIT), "may_review": user.has_perm(people.REVIEW), "may_lower": may_down,
        "stages": [(step, LABELS[step]) for step in STEPS],
    }  # fmt: skip


def _steps(one: Automation, conditions: list[Condition], *, may_up: bool, may_down: bool) -> list[dict[str, Any]]:
    state = str(one.state)
    no_up = "" if may_up else f"Your account needs the permission {people.PROMOTE}."
    no_down = "" if may_down else "Its owners and the Revenue Ops Lead step it down."
    if state == Automation.State.PAUSED:
        back = one.stage_before_pause or "shadow"
        return [{"name": "step", "label": f"Resume as {LABELS[back]}", "why_not": no_up, "value": back}]
    found = []
    up = ladder.next_step(state)
    if up:
        missing = sum(not each.is_met for each in conditions)
        why = no_up or (f"{missing} of {len(conditions)} conditions are not met; see the list." if missing else "")
        found.append({"name": "step", "label": f"Promote to {LABELS[up]}", "why_not": why, "value": up})
    if state != "shadow":
        down = STEPS[STEPS.index(state) - 1]
        found.append({"name": "step", "label": f"Step back to {LABELS[down]}", "why_not": no_down, "value": down})
    found.append({"name": "pause", "label": "Pause", "why_not": no_down, "value": ""})
    return found


def _sign(request: HttpRequest, one: Automation, found: Evidence) -> dict[str, Any] | None:
    if found.signed_at is not None and one.fell_at is None:
        return None
    user: Any = request.user
    owner = one.owner.get_username() if one.owner else "nobody yet"
    why = "" if people.is_owner(one, user) else f"Only its owner signs, and that is {owner}."
    return {"name": "sign_off", "label": f"Sign off v{one.version}", "why_not": why, "value": str(one.version)}
