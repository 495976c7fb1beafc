"""What acts by itself, and what judges: automations and gates. The review queue has pages of its own."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gates import uses
from gates.cells import gate_tag, row_words
from gates.models import Automation, GateVersion, SignOff
from gates.rollout import counts, evidence, ladder
from gates.rollout.counts import Ask
from ledger import cells, clock
from ledger.readonly import Choice, ReadOnlyAdmin, choice, page_of
from ledger.words import kind_words

FALLEN = Q(fell_at__isnull=False)
STATES: dict[str, tuple[str, Any]] = {value: (label, Q(state=value)) for value, label in Automation.State.choices}


def of_mine(request: HttpRequest) -> Q:
    """Those that this person, or a group of theirs, answers for."""
    groups = request.user.groups.values_list("name", flat=True)
    return Q(owner=request.user.pk) | Q(owner_group__in=groups)


def to_sign(request: HttpRequest) -> Q:
    """Those whose version this person has not signed."""
    signed = SignOff.objects.filter(automation=OuterRef("pk"), version=OuterRef("version"), voided_at=None)
    return Q(owner=request.user.pk) & ~Q(Exists(signed))


@admin.register(Automation)
class AutomationAdmin(ReadOnlyAdmin):
    """What acts by itself, how far it is trusted, and what its next step still needs."""

    list_display = (
        "shown_title", "shown_state", "answers", "day", "corrected", "agreed", "missing", "since",
    )  # fmt: skip
    list_filter = (
        choice("stage", "Stage", STATES),
        choice("owner", "Owner", {"me": ("Mine", of_mine)}),
        choice("waits", "Waits for", {"me": ("My sign-off", to_sign), "fallen": ("Any, after a fall", FALLEN)}),
    )
    change_list_template = "console/automation_list.html"
    list_select_related = ("owner",)
    empty_text = "No automation is installed."

    def dress(self, rows: list[Automation]) -> None:
        """Evidence and the last day's decisions of all of them in a fixed number of statements."""
        known, bars, now = evidence.of(rows), evidence.bars(), clock.now()
        agreed = counts.compared([Ask(one.name, now - counts.MONTH) for one in rows])
        day = counts.last_day([one.name for one in rows])
        for one, pair in zip(rows, agreed, strict=True):
            said: Any = one
            said.found, said.missed = known[one.name], ladder.unmet(known[one.name], bars)
            said.pair, said.last_day = pair, day.get(one.name, (0, 0))

    @admin.display(description="Automation")
    def shown_title(self, one: Automation) -> SafeString:
        """The door to the page."""
        return page_of(one)

    @admin.display(description="Stage")
    def shown_state(self, one: Automation) -> SafeString:
        """How far it is trusted."""
        return cells.tag(one.state, one.get_state_display())

    @admin.display(description="Owner, fallback")
    def answers(self, one: Automation) -> SafeString:
        """Who answers for it, and who does when they are away."""
        owner = one.owner.get_username() if one.owner else "nobody yet"
        return cells.theirs(f"{one.owner_group}: {owner}; {one.fallback_group}", 160)

    @admin.display(description="Decisions, 24 h")
    def day(self, one: Any) -> Any:
        """What it judged, and the share of it that did not go by itself."""
        every, held = one.last_day
        return f"{every:,}, {100 * held // every} % held or asked" if every else cells.dash()

    @admin.display(description="Corrected")
    def corrected(self, one: Any) -> Any:
        """In this stage, of those judged right or wrong."""
        said = one.found
        return f"{ladder.percent(said.permille)} of {said.judged:,}" if said.judged else cells.dash()

    @admin.display(description="Agreement")
    def agreed(self, one: Any) -> Any:
        """Shadow decisions of 30 days against what people did."""
        agreed, compared = one.pair
        return f"{100 * agreed / compared:.1f} % of {compared:,}" if compared else cells.dash()

    @admin.display(description="Next step lacks")
    def missing(self, one: Any) -> Any:
        """What stands in the way, by name."""
        if one.fell_at is not None:
            return cells.theirs(f"fell: {one.fell_why}", 120)
        words = ", ".join(each.title.lower() for each in one.missed)
        return words or ("nothing" if ladder.next_step(str(one.state)) else cells.dash())

    @admin.display(description="In this stage")
    def since(self, one: Automation) -> SafeString:
        """Since when."""
        return cells.ago(one.stage_since)


OPEN = Q(state__in=(GateVersion.State.DRAFT, GateVersion.State.SUBMITTED))
LIVE = Q(state=GateVersion.State.LIVE)


def ended(request: HttpRequest) -> Q:
    """Versions that judge no more, or never will."""
    return Q(retired_at__lte=clock.now()) | Q(state=GateVersion.State.WITHDRAWN)


def judging(request: HttpRequest) -> Q:
    """Versions in force, and those that will be at their time."""
    return LIVE & (Q(retired_at=None) | Q(retired_at__gt=clock.now()))


STANDING: dict[str, tuple[str, Any]] = {
    "yes": ("In force", judging),
    "open": ("Being written", OPEN),
    "no": ("Ended", ended),
    "every": ("All versions", Q()),
}


class Standing(Choice):
    """What judges and what is being written, unless something else is asked for."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The old versions of every gate would bury the others."""
        if self.value() is None:
            return queryset.filter(judging(request) | OPEN)
        return super().queryset(request, queryset)


@admin.register(GateVersion)
class GateVersionAdmin(ReadOnlyAdmin):
    """What holds an action back; a change is a new version, written in the pages of `meshline.console.gate_pages`."""

    change_list_template = "console/gate_list.html"
    list_display = (
        "shown_title", "standing", "answer", "condition", "for_kinds", "held", "unchanged", "since", "by",
    )  # fmt: skip
    list_filter = (
        choice("now", "Standing", STANDING, Standing),
        choice("result", "Answer", {key: (label, Q(result=key)) for key, label in GateVersion.Result.choices}),
    )
    list_select_related = ("written_by",)
    list_title = "Gates"
    finds = ("name__exact",)
    finds_text = "Name of a gate, in full"
    empty_text = "No gate: only the built-in rules judge."

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the door to a new one."""
        more = {"may_edit": request.user.has_perm("gates.edit_gate")}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def dress(self, rows: list[GateVersion]) -> None:
        """What each gate held back lately, in one statement."""
        known = uses.of(sorted({one.name for one in rows}))
        for one in rows:
            one.use = known.get(one.name, uses.Use())  # type: ignore[attr-defined]

    @admin.display(description="Gate")
    def shown_title(self, one: GateVersion) -> SafeString:
        """The door to the page."""
        return page_of(one)

    @admin.display(description="Standing")
    def standing(self, one: GateVersion) -> SafeString:
        """Whether it judges now."""
        return gate_tag(one)

    @admin.display(description="Answer")
    def answer(self, one: GateVersion) -> SafeString:
        """What it does when it fires."""
        return cells.tag(one.result, one.get_result_display())

    @admin.display(description="When")
    def condition(self, one: GateVersion) -> SafeString:
        """Its rows in words."""
        return format_html_join(" and ", "{}", ((row_words(row),) for row in one.rows)) or cells.dash()

    @admin.display(description="For")
    def for_kinds(self, one: GateVersion) -> str:
        """The kinds of action it looks at."""
        return ", ".join(kind_words(kind) for kind in one.applies_to) or "every action"

    @admin.display(description="Held, 30 days")
    def held(self, one: GateVersion) -> Any:
        """Actions that a version of this gate held back or asked about."""
        return f"{one.use.held:,}" if one.use.held else cells.dash()  # type: ignore[attr-defined]

    @admin.display(description="Approved unchanged")
    def unchanged(self, one: GateVersion) -> Any:
        """Those that a person let pass as they were."""
        use = one.use  # type: ignore[attr-defined]
        return f"{use.unchanged:,} ({use.share})" if use.held else cells.dash()

    @admin.display(description="In force from")
    def since(self, one: GateVersion) -> SafeString:
        """Since when it judges, or from when on it will."""
        return cells.moment(one.valid_from) if one.state == GateVersion.State.LIVE else cells.dash()

    @admin.display(description="Written by")
    def by(self, one: GateVersion) -> SafeString:
        """Whose words these are."""
        if one.written_by is None:
            return format_html('<span class="quiet">{}</span>', "Meshline")
        return cells.theirs(one.written_by.get_username(), 40)
