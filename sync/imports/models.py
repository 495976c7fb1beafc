"""LinkImport: a file of links and how far it came. LinkImportRow: one of its rows, and what would become of it."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField

from ledger import clock
from ledger.models import Customer
from ledger.states import Stateful, edge


class LinkImport(Stateful):
    """A file that was read and stored; what a person confirms is what `digest` was made of. Moved by `imports.links`.

    Nothing outside its own rows is written before it is applied. It stands for a day, then it has to be read again.
    """

    class State(models.TextChoices):
        CHECKING = "checking", "Being checked"
        READY = "ready", "Waits for a decision"
        APPLIED = "applied", "Applied"
        DISCARDED = "discarded", "Discarded"
        EXPIRED = "expired", "Expired"

    state = FSMField(default=State.CHECKING, choices=State.choices, protected=True)
    file_name = models.CharField(max_length=120, blank=True)
    file_sha = models.CharField(max_length=64)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=clock.now)
    checked_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the rows as they are shown")
    counts = models.JSONField(default=dict, help_text="Rows by verdict")
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["expires_at"], name="link_import_open", condition=Q(state__in=("checking", "ready")))
        ]
        permissions = [("import_links", "Can import links from files")]

    def __str__(self) -> str:
        return f"import {self.pk}"

    @edge(State.CHECKING, State.READY)
    def finish_check(self) -> None:
        """Each row has a verdict."""

    @edge(State.READY, State.CHECKING)
    def recheck(self) -> None:
        """Something changed since: the rows are looked at anew."""

    @edge(State.READY, State.APPLIED)
    def apply(self) -> None:
        """A person confirmed what was shown, and it was written."""

    @edge([State.CHECKING, State.READY], State.DISCARDED)
    def discard(self) -> None:
        """A person wants none of it."""

    @edge([State.CHECKING, State.READY], State.EXPIRED)
    def expire(self) -> None:
        """Nobody decided in time."""


class LinkImportRow(models.Model):
    """A row of a file. `verdict` is empty until it was looked at; `email` is cleared when the import is over."""

    class Verdict(models.TextChoices):
        WAITING = "", "Being checked"
        LINK = "link", "Will be linked"
        SAME = "same", "Linked already"
        BAD = "bad", "Refused"

    batch = models.ForeignKey(LinkImport, on_delete=models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField(help_text="Line of the file it begins in")
    internal_id = models.CharField(max_length=80, blank=True)
    billing_customer = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=320, blank=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    billing_account = models.CharField(max_length=64, blank=True, db_default="", help_text="Where the id was found")
    now_linked = models.CharField(max_length=255, blank=True, help_text="The id the customer has now")
    verdict = models.CharField(max_length=8, choices=Verdict.choices, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="link_import_row_once")]
        indexes = [
            models.Index(fields=["batch", "verdict", "number"], name="link_import_verdict"),
        ]

    def __str__(self) -> str:
        return f"row {self.number} of import {self.batch_id}"
