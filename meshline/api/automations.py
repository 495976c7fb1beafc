"""Automations: where each stands, what its next step still needs, and the verbs of its page."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gates import automations
from gates.models import Automation
from gates.models.automation import STEPS
from gates.rollout import RANK, SHARE, counts, evidence, ladder, people, registration
from gates.rollout.counts import Ask
from ledger import clock
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.shapes import BY_NAME
from meshline.api.strict import Body, Choice, Text, Whole
from meshline.api.verbs import REASON

STATES = Automation.State.values
SEGMENT = "Only this part of it: tier:<name> or kind:<ticket kind>"


class ConditionShape(serializers.Serializer):
    """One thing that the next step needs."""

    name = serializers.CharField()
    is_met = serializers.BooleanField()
    has = serializers.CharField(help_text="What is, with its number")
    needs = serializers.CharField()


class SegmentShape(serializers.Serializer):
    """A part that is trusted less than the rest."""

    key = serializers.CharField(help_text=SEGMENT)
    stage = serializers.ChoiceField(choices=STATES)
    corrections_permille = serializers.IntegerField()
    judged = serializers.IntegerField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="Names of the conditions that are not met")


class AutomationShape(serializers.Serializer):
    """One automation."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    title = serializers.CharField()
    stage = serializers.ChoiceField(choices=STATES)
    state_version = serializers.IntegerField()
    share_percent = serializers.IntegerField(help_text="Of the customers, for whom it acts by itself")
    version = serializers.IntegerField()
    owner_group = serializers.CharField()
    owner = serializers.CharField(allow_null=True, help_text=BY_NAME)
    fallback_group = serializers.CharField()
    stage_since = serializers.DateTimeField()
    enabled_until = serializers.DateTimeField(allow_null=True)
    fell_because = serializers.CharField(allow_blank=True, help_text="Why it lost its stage, until its owner signs")
    decisions = serializers.IntegerField(help_text="In this stage")
    corrections_permille = serializers.IntegerField(help_text="Of those judged right or wrong, rounded up")
    judged = serializers.IntegerField()
    agreed = serializers.IntegerField(help_text="Shadow decisions of 30 days that people agreed with")
    compared = serializers.IntegerField(help_text="Shadow decisions of 30 days that could be compared")
    next_stage = serializers.CharField(allow_blank=True)
    conditions = ConditionShape(many=True)
    segments = SegmentShape(many=True)


class StepBody(Body):
    """Where to."""

    stage = Choice((*STEPS, "paused"))
    segment = Text(80, least=0, required=False, default="", help_text=SEGMENT)
    reason = Text(300, help_text=REASON)


class PauseBody(Body):
    """Why."""

    reason = Text(300, help_text=REASON)


class SignOffBody(PauseBody):
    """Which version, and why."""

    version = Whole(1, help_text="The version that was looked at")


class Automations(ApiView):
    """All of them."""

    needs = people.VIEW

    @looks("automations_list", "Automations with what their next step still needs", page_of(AutomationShape), Paged)
    def get(self, request: Request) -> Response:
        """Newest first."""
        return self.page(Automation.objects.select_related("owner"), self.query(Paged), lambda rows: shown(list(rows)))


class Verb(ApiView):
    """What the verbs share."""

    needs = people.VIEW

    def one(self, name: str) -> Automation:
        """The automation of the address."""
        return found(Automation.objects.select_related("owner"), name=name)

    def answer(self, name: str) -> Response:
        """As it is now."""
        return Response(shown([self.one(name)])[0])


class Step(Verb):
    """One stage up on evidence, any stage down at once."""

    @acts("automations_step", "Step an automation, or a segment of it", StepBody, AutomationShape)
    def post(self, request: Request, name: str) -> Response:
        """Upwards it asks for the password within the last minutes, so a token cannot raise anything."""
        said, one = self.body(StepBody), self.one(name)
        by = self.person()
        automations.check_segment(said["segment"])
        part = one.segments.filter(key=said["segment"]).first()
        if RANK[said["stage"]] > RANK[str((part or one).state)] and by.has_perm(people.PROMOTE):
            self.step_up("promote")
        automations.step_to(name, said["stage"], by=by, reason=said["reason"], segment=said["segment"])
        return self.answer(name)


class Pause(Verb):
    """It acts no more."""

    @acts("automations_pause", "Pause an automation and withdraw what it planned", PauseBody, AutomationShape)
    def post(self, request: Request, name: str) -> Response:
        """Any of its owners may."""
        said = self.body(PauseBody)
        self.one(name)
        automations.pause(name, by=self.person(), reason=said["reason"])
        return self.answer(name)


class SignOff(Verb):
    """The owner answers for a version."""

    @acts("automations_sign_off", "Sign a version off, as its owner", SignOffBody, AutomationShape)
    def post(self, request: Request, name: str) -> Response:
        """Asks for the password within the last minutes."""
        said, one = self.body(SignOffBody), self.one(name)
        if people.is_owner(one, self.person()):
            self.step_up("sign off")
        registration.sign_off(name, by=self.person(), reason=said["reason"], version=said["version"])
        return self.answer(name)


VERBS = {"step": Step, "pause": Pause, "sign-off": SignOff}


def shown(rows: list[Automation]) -> list[dict[str, Any]]:
    """The automations with their evidence; a fixed number of statements for any number of them."""
    known, bars = evidence.of(rows, with_segments=True), evidence.bars()
    since = clock.now() - counts.MONTH
    agreed = counts.compared([Ask(one.name, since) for one in rows])
    found_: dict[str, list[dict[str, Any]]] = {one.name: [] for one in rows}
    for key, said in known.items():
        name, _, segment = key.partition("/")
        if segment:
            found_[name].append(_segment(segment, said, bars))
    return [
        dict(AutomationShape(_one(one, known[one.name], bars, pair, found_[one.name])).data)
        for one, pair in zip(rows, agreed, strict=True)
    ]


def _segment(key: str, said: ladder.Evidence, bars: ladder.Bars) -> dict[str, Any]:
    return {
        "key": key, "stage": said.stage, "corrections_permille": said.permille, "judged": said.judged,
        "missing": [each.name for each in ladder.unmet(said, bars)],
    }  # fmt: skip


def _one(
    one: Automation, said: ladder.Evidence, bars: ladder.Bars, pair: tuple[int, int], segments: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "id": one.pk, "name": one.name, "title": one.title, "stage": said.stage, "state_version": one.state_version,
        "share_percent": SHARE.get(said.stage, 0), "version": one.version, "owner_group": one.owner_group,
        "owner": one.owner.get_username() if one.owner else None, "fallback_group": one.fallback_group,
        "stage_since": one.stage_since, "enabled_until": one.enabled_until,
        "fell_because": one.fell_why if one.fell_at else "", "decisions": said.decisions,
        "corrections_permille": said.permille, "judged": said.judged, "agreed": pair[0], "compared": pair[1],
        "next_stage": ladder.next_step(said.stage), "conditions": ladder.conditions(said, bars), "segments": segments,
    }  # fmt: skip
