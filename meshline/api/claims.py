"""Claims: whether what a text says was done is what the ledger has as confirmed."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.models import LedgerRow
from meshline.api.base import ApiView, acts
from meshline.api.strict import Body, Text
from sync.claims import checking
from sync.claims.models import ClaimCheck

SENSES = ("done", "promised", "under_way", "denied")


class VerifyBody(Body):
    """A text, and whom it is about: at least one of customer, contract and ticket."""

    text = Text(checking.LONGEST, help_text="Plain text, several sentences; it is not kept")
    customer = Text(64, required=False, default="", help_text="External id")
    contract = Text(64, required=False, default="", help_text="External id; only what was done for it counts then")
    ticket = Text(64, required=False, default="", help_text="The support desk's number")
    draft = Text(checking.LONGEST_DRAFT, required=False, default="", help_text="Your own id of the text; it is kept")


class ProofShape(serializers.Serializer):
    """A ledger row that a verdict rests on."""

    id = serializers.IntegerField()
    action = serializers.UUIDField(allow_null=True)
    decision = serializers.CharField()
    state = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    applied_at = serializers.DateTimeField(allow_null=True)
    amount_minor = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    confirmation_id = serializers.CharField(allow_blank=True)


class ClaimShape(serializers.Serializer):
    """One claim of a sentence."""

    topic = serializers.CharField()
    sense = serializers.ChoiceField(choices=SENSES)
    text = serializers.CharField()
    start = serializers.IntegerField(help_text="Place in the text")
    end = serializers.IntegerField()
    verdict = serializers.ChoiceField(choices=ClaimCheck.Verdict.choices)
    why = serializers.CharField(allow_blank=True)
    rows = ProofShape(many=True)


class SentenceShape(serializers.Serializer):
    """One sentence; its verdict is its worst claim's."""

    text = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    verdict = serializers.ChoiceField(choices=ClaimCheck.Verdict.choices)
    claims = ClaimShape(many=True)


class CheckShape(serializers.Serializer):
    """What came of it."""

    id = serializers.IntegerField()
    verdict = serializers.ChoiceField(choices=ClaimCheck.Verdict.choices, help_text="The worst of all sentences")
    sentences = SentenceShape(many=True)


class ClaimVerify(ApiView):
    """Whether a text may be said."""

    needs = checking.PERMISSION

    @acts("claims_verify", "Compare a text with the ledger, sentence by sentence", VerifyBody, CheckShape)
    def post(self, request: Request) -> Response:
        """The same door as the page; only confirmed actions prove anything."""
        said = self.body(VerifyBody)
        text = said.pop("text")
        return Response(CheckShape(shown(text, checking.verify(text, by=self.person(), **said))).data)


def shown(text: str, outcome: checking.Outcome) -> dict[str, Any]:
    """The outcome with the rows that it rests on."""
    claims = [one for each in outcome.judged for one in each.claims]
    rows = rows_of(row for one in claims for row in one.rows)
    return {
        "id": outcome.check.pk, "verdict": outcome.check.verdict,
        "sentences": [
            {
                "text": each.sentence.text, "start": each.sentence.start, "end": each.sentence.end,
                "verdict": str(each.verdict),
                "claims": [
                    {
                        "topic": one.claim.topic, "sense": str(one.claim.sense), "verdict": str(one.verdict),
                        "text": text[one.claim.start : one.claim.end], "start": one.claim.start, "end": one.claim.end,
                        "why": one.why, "rows": [rows[row] for row in one.rows if row in rows],
                    }
                    for one in each.claims
                ],
            }
            for each in outcome.judged
        ],
    }  # fmt: skip


def rows_of(numbers: Iterable[int]) -> dict[int, dict[str, Any]]:
    """These rows, by their number."""
    return {
        row.pk: {
            "id": row.pk, "action": row.action_id, "decision": row.decision, "state": row.post_state,
            "recorded_at": row.recorded_at, "applied_at": row.applied_at, "amount_minor": row.amount_minor,
            "currency": row.currency, "confirmation_id": row.confirmation_id,
        }
        for row in LedgerRow.objects.filter(pk__in=set(numbers))
    }  # fmt: skip
