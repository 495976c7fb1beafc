"""MappingVersion: the field mapping as data with a number, drafted by one person and put in force by another."""

from collections.abc import Collection
from copy import deepcopy
from typing import Any, Self

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.states import Stateful, edge


class FrozenMappingError(ValueError):
    """A version that left its draft was about to be changed: a change is a new version."""


class MappingVersion(Stateful):
    """One version of the artifact that `sync.mappings.read` takes; `fields` is `{"version", "rows", "stays"}`.

    At most one is active and at most one is a draft. `agreed` names the shipped cases and fields without a case that
    whoever activated it saw failing.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "In force"
        RETIRED = "retired", "Retired"

    number = models.PositiveIntegerField(unique=True)
    fields = models.JSONField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=clock.now)
    based_on = models.PositiveIntegerField(null=True, help_text="Number of the version it was begun from")
    state = FSMField(max_length=12, choices=State.choices, default=State.DRAFT, protected=True)
    activated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    activated_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)
    agreed = models.JSONField(default=list)

    _fields_read: dict[str, Any] | None = None

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["state"], name="mapping_active_once", condition=models.Q(state="active")),
            models.UniqueConstraint(fields=["state"], name="mapping_draft_once", condition=models.Q(state="draft")),
        ]
        permissions = [
            ("edit_mapping", "Can draft versions of the field mapping"),
            ("activate_mapping", "Can put a drafted field mapping in force"),
        ]

    def __str__(self) -> str:
        return f"Field mapping v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises FrozenMappingError for a change of what was in force or given up."""
        if self._fields_read is not None and self._fields_read != self.fields:
            raise FrozenMappingError(f"{self} is {self.get_state_display().lower()}; a change is a new version")
        super().save(*args, **kwargs)
        self._remember()

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        """Remember the content that was read, where it is frozen."""
        one = super().from_db(db, field_names, values, **kwargs)
        if {"fields", "state"} <= set(field_names):
            one._remember()
        return one

    def _remember(self) -> None:
        self._fields_read = None if self.state == self.State.DRAFT else deepcopy(self.fields)

    @edge(State.DRAFT, State.DRAFT)
    def change(self) -> None:
        """A row of the draft was written anew."""

    @edge(State.DRAFT, State.ACTIVE)
    def activate(self) -> None:
        """A second person agreed: every write from now on goes by it."""

    @edge(State.DRAFT, State.RETIRED)
    def withdraw(self) -> None:
        """It was never in force and never will be."""

    @edge(State.ACTIVE, State.RETIRED)
    def replace(self) -> None:
        """A newer version took over."""
