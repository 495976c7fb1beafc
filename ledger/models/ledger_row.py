"""LedgerRow: the append-only journal. The database refuses every change of it."""

from django.db import models

from ledger import clock


class LedgerRow(models.Model):
    """One line for each transition, refusal or check; holds references, amounts, states and times, never names.

    FSM-guarded by its subject: `prior_state -> post_state` must be an edge of the subject's state graph, or nothing
    moved (prior = post). A trigger checks it against `ledger_edge`; UPDATE, DELETE and TRUNCATE are refused.
    """

    subject_kind = models.CharField(max_length=16)
    subject_id = models.CharField(max_length=64)
    event_id = models.BigIntegerField(null=True)
    action_id = models.UUIDField(null=True)
    customer_id = models.BigIntegerField(null=True)
    decision = models.CharField(max_length=40)
    actor = models.CharField(max_length=120)
    prior_state = models.CharField(max_length=20)
    post_state = models.CharField(max_length=20)
    state_version = models.IntegerField(default=0)
    correlation_id = models.UUIDField(null=True)
    recorded_at = models.DateTimeField(default=clock.now)
    applied_at = models.DateTimeField(null=True)
    reasons = models.JSONField(default=list)
    inputs = models.JSONField(default=dict)
    rule_version = models.CharField(max_length=64, blank=True)
    mode = models.CharField(max_length=8, default="live")
    key = models.CharField(max_length=80, blank=True)
    confirmation_id = models.CharField(max_length=255, blank=True)
    outcome = models.CharField(max_length=40, blank=True)
    latency_ms = models.IntegerField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    amount_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["action_id", "id"], name="row_action"),
            models.Index(fields=["customer_id", "id"], name="row_customer"),
            models.Index(fields=["correlation_id"], name="row_correlation"),
            models.Index(fields=["subject_kind", "subject_id", "id"], name="row_subject"),
            models.Index(fields=["confirmation_id"], name="row_confirmed", condition=~models.Q(confirmation_id="")),
            models.Index(fields=["id"], name="row_people", condition=models.Q(actor__startswith="user:")),
        ]
        permissions = [("export_ledger", "Can export ledger rows")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.subject_kind} {self.decision}: {self.prior_state} -> {self.post_state}"


class LedgerSeal(models.Model):
    """The rows up to `last_row` as they were, each by its digest, chained to the seal before; never changed.

    Seals are numbered from 1 without a gap, and each begins with the id after the one the last ended with.
    `row_digests` has 40 bytes a row: its id and the SHA-256 of its canonical form; `ledger.offline_check` says what
    that is and what `digest` is made of.
    """

    first_row = models.BigIntegerField()
    last_row = models.BigIntegerField()
    row_count = models.BigIntegerField()
    row_format = models.PositiveSmallIntegerField(db_default=1)
    row_digests = models.BinaryField(db_default=b"")
    digest = models.BinaryField()
    previous = models.BinaryField(null=True)
    sealed_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["previous"], name="seal_one_after", nulls_distinct=False)]

    def __str__(self) -> str:
        return f"seal of rows {self.first_row} to {self.last_row}"


class LedgerCheck(models.Model):
    """One look at the whole ledger, by a person or in slices by the schedule, and what came of it."""

    began_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True)
    actor = models.CharField(max_length=120)
    next_row = models.BigIntegerField(default=1, help_text="Where it goes on")
    rows = models.BigIntegerField(default=0, help_text="Looked at so far")
    seals = models.IntegerField(default=0)
    bad_row = models.BigIntegerField(null=True)
    problem = models.CharField(max_length=500, blank=True, help_text="The first thing that is wrong")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"check of the ledger {self.pk}"
