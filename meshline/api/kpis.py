"""Key figures: each over a period, with its days, its formula and what it should be."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from meshline.api.base import ApiView, looks
from meshline.api.errors import Problem
from meshline.api.strict import Choice, Query, Text
from meshline.kpis import desk, reading
from meshline.kpis.catalogue import HIGHER, KPIS, LOWER
from meshline.kpis.reading import Told


class KpiQuery(Query):
    """Which figures, over which days."""

    days = Choice([str(one) for one in reading.PERIODS], required=False, default="28", help_text="Up to today (UTC)")
    name = Choice(list(KPIS), required=False, help_text="One figure only")
    scope = Text(
        100, required=False, default="", help_text="A part: `automation:<name>` or `team:<group>`; default the whole"
    )


class DayShape(serializers.Serializer):
    """One UTC day; `value` null: nothing that could be counted, or not computed."""

    day = serializers.DateField()
    value = serializers.FloatField(allow_null=True)


class KpiShape(serializers.Serializer):
    """One figure, amounts once for each currency. `stale` says since when it was not computed; then `value` is null."""

    name = serializers.ChoiceField(choices=list(KPIS))
    title = serializers.CharField()
    unit = serializers.CharField(help_text="`share` (0 to 1), `seconds`, `count`, or `money` in minor units")
    currency = serializers.CharField(allow_blank=True)
    scope = serializers.CharField(allow_blank=True)
    value = serializers.FloatField(allow_null=True)
    before = serializers.FloatField(allow_null=True, help_text="Of as many days before")
    target = serializers.FloatField(allow_null=True)
    better = serializers.ChoiceField(choices=(HIGHER, LOWER))
    is_good = serializers.BooleanField(allow_null=True, help_text="Whether the target is met")
    owner = serializers.CharField()
    formula = serializers.CharField()
    so_far = serializers.BooleanField(help_text="Whether today is in it, which is not over")
    stale = serializers.CharField(allow_blank=True)
    computed_at = serializers.DateTimeField(allow_null=True)
    days = DayShape(many=True)


class KpiListShape(serializers.Serializer):
    """All figures that the caller may see."""

    period = serializers.IntegerField(help_text="Days")
    results = KpiShape(many=True)


class KpiList(ApiView):
    """Figures as the page has them."""

    needs = desk.VIEW

    @looks("kpis_list", "Key figures over 7, 28 or 90 days", KpiListShape, KpiQuery)
    def get(self, request: Request) -> Response:
        """Revenue figures need `meshline.view_revenue`; without it they are absent, and asked for by name refused."""
        asked = self.query(KpiQuery)
        names, scope = reading.visible(self.person()), asked["scope"]
        if asked.get("name"):
            if asked["name"] not in names:
                raise Problem(403, "permission", f"name: this figure needs {desk.REVENUE}", "name")
            names = [asked["name"]]
        kind, _, part = scope.partition(":")
        if scope and (kind not in ("automation", "team") or not part):
            raise Problem(422, "field", "scope: must be automation:<name> or team:<group>", "scope")
        names = [name for name in names if not scope or kind in KPIS[name].by]
        period = int(asked["days"])
        found = [one for each in reading.told(names, period, scope) for one in (each, *each.also)]
        return Response(KpiListShape({"period": period, "results": [shown(one, period) for one in found]}).data)


def shown(one: Told, period: int) -> dict[str, Any]:
    """One figure as it is given."""
    kpi = one.kpi
    currency = one.scope.removeprefix(reading.CURRENCY) if kpi.is_revenue else ""
    return {
        "name": kpi.name, "title": kpi.title, "unit": kpi.unit, "currency": currency,
        "scope": "" if kpi.is_revenue else one.scope, "value": one.value, "before": one.before, "target": one.target,
        "better": kpi.better, "is_good": one.is_good, "owner": kpi.owner, "formula": kpi.formula,
        "so_far": one.so_far, "stale": one.stale, "computed_at": one.computed_at,
        "days": [{"day": day, "value": value} for day, value in one.points[-period:]],
    }  # fmt: skip
