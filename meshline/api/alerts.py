"""Alerts about Meshline itself: what is on and was, somebody looks after one, and the rules with their numbers."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gates.models import AlertEpisode
from meshline.api.base import ApiView, Paged, acts, found, looks, page_of
from meshline.api.shapes import BY_NAME
from meshline.api.strict import Body, Choice, Whole
from sync.alerts import board, desk
from sync.alerts.board import Line
from sync.alerts.table import RULES

STATES = ("on", "over", "fine", "unmeasured", "off", "event", "new")


class AlertShape(serializers.ModelSerializer):
    """One episode of an alert. `value` is as measured last, `worst` the highest of the episode."""

    acknowledged_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    waiting = serializers.IntegerField(help_text="Messages about it that wait to be told")

    class Meta:
        model = AlertEpisode
        fields = (
            "id", "state_version", "name", "episode", "rule", "state", "severity", "summary", "owner_group", "runbook",
            "value", "worst", "threshold", "raised_at", "last_seen_at", "resolved_at", "acknowledged_at",
            "acknowledged_by", "waiting",
        )  # fmt: skip


class RuleShape(serializers.Serializer):
    """One rule as it stands."""

    rule = serializers.CharField()
    sentence = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    value = serializers.FloatField(allow_null=True)
    limit = serializers.FloatField(allow_null=True, help_text="Null: switched off, or not a number")
    unit = serializers.CharField(allow_blank=True)
    said = serializers.CharField(allow_blank=True, help_text="What was measured, or why it could not be")
    measured_at = serializers.DateTimeField(allow_null=True)
    severity = serializers.CharField()
    owner_group = serializers.CharField()
    runbook = serializers.CharField()
    preset = serializers.BooleanField()
    alerts = serializers.ListField(child=serializers.IntegerField(), help_text="Ids of the alerts that are on")


class RulesShape(serializers.Serializer):
    """All of them."""

    results = RuleShape(many=True)


class AlertQuery(Paged):
    """Which alerts."""

    rule = Choice(tuple(RULES), required=False)
    state = Choice(tuple(AlertEpisode.State.values), required=False)


class AcknowledgeBody(Body):
    """What was looked at."""

    state_version = Whole(help_text="The alert's `state_version` that you saw")


class AlertList(ApiView):
    """Episodes, newest first."""

    needs = desk.VIEW

    @looks("alerts", "Alerts, newest first", page_of(AlertShape), AlertQuery)
    def get(self, request: Request) -> Response:
        """All of them, of one rule, on or over."""
        asked = self.query(AlertQuery)
        kept = {name: asked[name] for name in ("rule", "state") if name in asked}
        return self.page(AlertEpisode.objects.filter(**kept).select_related("acknowledged_by"), asked, shown)


class AlertPage(ApiView):
    """One episode."""

    needs = desk.VIEW

    @looks("alert", "One alert", AlertShape)
    def get(self, request: Request, alert_id: int) -> Response:
        """As it stands."""
        return Response(shown([found(AlertEpisode.objects.select_related("acknowledged_by"), pk=alert_id)])[0])


class AlertAcknowledge(ApiView):
    """Somebody looks after it."""

    needs = desk.VIEW

    @acts("alert_acknowledge", "Say that you look after an alert", AcknowledgeBody, AlertShape)
    def post(self, request: Request, alert_id: int) -> Response:
        """The same door as the page."""
        said = self.body(AcknowledgeBody)
        return Response(shown([desk.acknowledge(alert_id, by=self.person(), version=said["state_version"])])[0])


class AlertRules(ApiView):
    """The rules."""

    needs = desk.VIEW

    @looks("alert_rules", "Rules of the alerts with the numbers measured last", RulesShape)
    def get(self, request: Request) -> Response:
        """In their order; nothing is measured for it."""
        return Response(RulesShape({"results": [_rule(one) for one in board.rules()]}).data)


def shown(rows: Sequence[AlertEpisode]) -> list[dict[str, Any]]:
    """Episodes with how many messages about them wait. One statement more."""
    waits = board.waiting(rows)
    for one in rows:
        one.waiting = waits.get(one.pk, 0)  # type: ignore[attr-defined]
    return list(AlertShape(rows, many=True).data)


def _rule(one: Line) -> dict[str, Any]:
    rule = one.rule
    return {
        "rule": rule.name, "sentence": rule.sentence, "state": one.state, "value": one.value, "limit": rule.limit,
        "unit": rule.unit, "said": one.said, "measured_at": one.measured_at, "severity": rule.severity,
        "owner_group": rule.owner, "runbook": rule.runbook, "preset": rule.preset, "alerts": list(one.episodes),
    }  # fmt: skip
