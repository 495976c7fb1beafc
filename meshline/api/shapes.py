"""What records look like in the API. Times are UTC, amounts whole minor units; ids of people are user names."""

from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers

from gates.models import GateVersion, ReviewItem, Runbook
from ledger.models import Action, Contract, Customer, Event, ExternalId, LedgerRow

# What the money of an item or action is worth saying of the record that carries it.
BY_NAME = "The user name"


class Link(serializers.ModelSerializer):
    """Where else somebody is known."""

    class Meta:
        model = ExternalId
        fields = ("system", "kind", "value", "url", "linked_at")


class CustomerShape(serializers.ModelSerializer):
    """A customer; the e-mail address is masked for those who may not see it."""

    class Meta:
        model = Customer
        fields = (
            "id", "external_id", "state", "name", "email", "tier", "mrr_minor", "currency", "owner", "state_version",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class ContractShape(serializers.ModelSerializer):
    """A contract."""

    class Meta:
        model = Contract
        fields = (
            "id", "external_id", "state", "plan", "amount_minor", "currency", "started_at", "ends_at", "state_version"
        )  # fmt: skip


class BlockShape(serializers.Serializer):
    """What one source said about a customer, and how long ago."""

    name = serializers.CharField()
    synced_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.IntegerField(allow_null=True)
    stale = serializers.BooleanField(help_text="Older than its limit, or never read")
    facts = serializers.DictField()


class ContextShape(serializers.Serializer):
    """Everything known of a customer, source by source."""

    customer = CustomerShape()
    contracts = ContractShape(many=True)
    links = Link(many=True)
    blocks = BlockShape(many=True)
    pending_since = serializers.DateTimeField(allow_null=True, help_text="A read goes on since then")


class TimelineEntry(serializers.Serializer):
    """One line of a customer's story: an event that came in, or a ledger row."""

    at = serializers.DateTimeField()
    source = serializers.ChoiceField(choices=("event", "ledger"))
    id = serializers.IntegerField()
    what = serializers.CharField(help_text="The kind of the event, or the decision")
    subject = serializers.CharField()
    state = serializers.CharField()
    actor = serializers.CharField(allow_blank=True)
    action = serializers.UUIDField(allow_null=True)
    correlation_id = serializers.UUIDField(allow_null=True)


class TimelinePage(serializers.Serializer):
    """A page of the story, newest first."""

    older = serializers.CharField(allow_null=True, help_text="Address of the page with older lines")
    results = TimelineEntry(many=True)


class EventShape(serializers.ModelSerializer):
    """One thing that happened."""

    customer = serializers.SlugRelatedField("external_id", read_only=True, allow_null=True)

    class Meta:
        model = Event
        fields = (
            "id", "source", "account", "provider_event_id", "type", "kind", "object_id", "api_version", "livemode",
            "occurred_at", "received_at", "done_at", "state", "verdict", "late", "deliveries", "attempts", "customer",
            "correlation_id", "last_error", "state_version",
        )  # fmt: skip


class AnswerShape(serializers.Serializer):
    """What one rule or gate said."""

    rule = serializers.CharField()
    verdict = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()
    until = serializers.DateTimeField(allow_null=True)


class ChangeShape(serializers.Serializer):
    """One field before and after."""

    system = serializers.CharField()
    field = serializers.CharField()
    now = serializers.JSONField()
    after = serializers.JSONField()


class ActionShape(serializers.ModelSerializer):
    """One intended change. `state_version` and `preview_hash` are what a decision has to name."""

    customer = serializers.SlugRelatedField("external_id", read_only=True, allow_null=True)
    contract = serializers.SlugRelatedField("external_id", read_only=True, allow_null=True)
    requested_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    edited_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    answers = AnswerShape(many=True)
    preview = ChangeShape(many=True)

    class Meta:
        model = Action
        fields: tuple[str, ...] = (
            "id", "state", "state_version", "kind", "provider", "automation", "mode", "customer", "contract",
            "event_id", "because", "params", "preview", "preview_hash", "answers", "irreversible", "amount_minor",
            "currency", "requested_by", "edited_by", "reverses_id", "correlation_id", "available_at", "error_code",
            "last_error", "created_at", "sent_at", "applied_at",
        )  # fmt: skip


class ActionDetail(ActionShape):
    """The same with what is sent and what came back."""

    class Meta(ActionShape.Meta):
        fields = (
            *ActionShape.Meta.fields, "rule_version", "facts", "key", "request", "job_ref", "confirmation", "tries",
            "looks",
        )  # fmt: skip


class PreviewShape(serializers.Serializer):
    """What would be asked for and what the gates say of it now; nothing of it is stored."""

    kind = serializers.CharField()
    contract = serializers.CharField()
    state = serializers.CharField(help_text="The state it would be judged into")
    until = serializers.DateTimeField(allow_null=True, help_text="Not before, where it would be held")
    preview = ChangeShape(many=True)
    preview_hash = serializers.CharField()
    answers = AnswerShape(many=True)
    needed = serializers.IntegerField(help_text="How many people would have to agree")
    amount_minor = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    amount_30d_minor = serializers.IntegerField(allow_null=True, help_text="With what the customer got in 30 days")
    duplicate_of = serializers.CharField(allow_null=True, help_text="The open action that is the same")
    irreversible = serializers.BooleanField()
    inverse = serializers.CharField(allow_blank=True)
    runbook = serializers.CharField(allow_blank=True)


class ItemShape(serializers.ModelSerializer):
    """One thing that waits for a person. `state_version` counts where it is about an event, else the action's does."""

    item = serializers.CharField(source="__str__", help_text="Its name, such as RV-12")
    customer = serializers.SlugRelatedField("external_id", read_only=True, allow_null=True)
    owner = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    resolved_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True, help_text=BY_NAME)
    action_state = serializers.CharField(source="action.state", default=None, allow_null=True)
    action_version = serializers.IntegerField(source="action.state_version", default=None, allow_null=True)
    preview_hash = serializers.CharField(source="action.preview_hash", default=None, allow_null=True)

    class Meta:
        model = ReviewItem
        fields = (
            "id", "item", "state", "state_version", "kind", "sentence", "why", "reason", "customer", "action_id",
            "action_state", "action_version", "preview_hash", "event_id", "amount_minor", "currency", "tier",
            "provider", "automation", "error_code", "confidence", "owner_group", "fallback_group", "owner",
            "routed_by", "claimed_until", "due_at", "touch_due_at", "paused_at", "snoozed_until", "bumps",
            "correlation_id", "resolution", "resolved_by", "resolved_at", "cause", "corrective_action", "prevention",
            "created_at",
        )  # fmt: skip


class CommentShape(serializers.Serializer):
    """What a person wrote; it is sent nowhere."""

    author = serializers.CharField(source="author.username", help_text=BY_NAME)
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


class VerbShape(serializers.Serializer):
    """What this person may do with it now, or why not."""

    name = serializers.CharField()
    label = serializers.CharField()
    allowed = serializers.BooleanField()
    why_not = serializers.CharField(allow_blank=True)


class ItemDetail(serializers.Serializer):
    """An item with what it is about and what may be done."""

    item = ItemShape()
    action = ActionDetail(allow_null=True)
    verbs = VerbShape(many=True)
    comments = CommentShape(many=True)


class RowShape(serializers.ModelSerializer):
    """One line of the ledger; nobody can change it."""

    actor_name = serializers.CharField(read_only=True, help_text="Who it was, in words")

    class Meta:
        model = LedgerRow
        fields = (
            "id", "subject_kind", "subject_id", "event_id", "action_id", "customer_id", "decision", "actor",
            "actor_name", "prior_state", "post_state", "state_version", "correlation_id", "recorded_at", "applied_at",
            "reasons", "inputs", "rule_version", "mode", "key", "confirmation_id", "outcome", "latency_ms",
            "error_code", "amount_minor", "currency",
        )  # fmt: skip


class SwitchShape(serializers.Serializer):
    """One scope of the stop."""

    scope = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    stopped_by = serializers.CharField(source="stopped_by.username", default=None, allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)
    resume_asked_by = serializers.CharField(source="resume_asked_by.username", default=None, allow_null=True)
    resume_asked_at = serializers.DateTimeField(allow_null=True)
    release_to = serializers.CharField()
    release_a_minute = serializers.IntegerField()


class StopShape(serializers.Serializer):
    """The emergency stop."""

    stopped = serializers.BooleanField(help_text="Whether any write is halted")
    held = serializers.IntegerField(help_text="Actions that wait for the stop to end")
    switches = SwitchShape(many=True)


class GateShape(serializers.ModelSerializer):
    """One version of a gate: all rows must hold, then it answers."""

    class Meta:
        model = GateVersion
        fields = (
            "id", "name", "version", "title", "state", "applies_to", "rows", "result", "message", "why", "valid_from",
            "retired_at",
        )  # fmt: skip


class RunbookShape(serializers.ModelSerializer):
    """What people do about a kind of trouble, step by step."""

    class Meta:
        model = Runbook
        fields = (
            "id", "slug", "title", "when", "applies_to", "steps", "owner_group", "version", "tested_at", "updated_at"
        )  # fmt: skip


def named(rows: Iterable[LedgerRow], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Ledger rows as they are given, with who acted in words."""
    for row in rows:
        row.actor_name = names.get(row.actor, row.actor)  # type: ignore[attr-defined]
    return list(RowShape(rows, many=True).data)
