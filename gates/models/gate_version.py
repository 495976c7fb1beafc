"""GateVersion: typed rows of one gate, valid from a time, never edited in place."""

from collections.abc import Collection
from copy import deepcopy
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django_fsm import FSMField

from gates.rules import typed
from ledger import clock
from ledger.states import Stateful, edge

CONTENT = ("name", "version", "title", "applies_to", "rows", "result", "message")


class Frozen(ValueError):
    """A version that left its draft was about to be changed: a change is a new version."""


class GateVersion(Stateful):
    """All `rows` must hold for the gate to fire; then `result` and `message` are its answer.

    A row is `{"field", "op", "value"}`; fields and operators come from the catalogue in `gates.rules.typed`, which
    refuses unknown ones. A change is a new version, drafted, submitted and put in force by another person through
    `gates.authoring`; the ledger stores which version judged. `retired_at` ends a version that was in force, because
    it was replaced or because two people took the gate away (`retire_asked_by` is the first of them).
    """

    class Result(models.TextChoices):
        HOLD = "hold", "Hold"
        REVIEW = "review", "Review by one person"
        REVIEW_TWO = "review_two", "Review by two people"
        BLOCK = "block", "Block"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Waits for a second person"
        LIVE = "live", "In force"
        WITHDRAWN = "withdrawn", "Withdrawn"

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=120)
    applies_to = models.JSONField(default=list, help_text="Action kinds; empty for all")
    rows = models.JSONField(default=list)
    result = models.CharField(max_length=12, choices=Result.choices)
    message = models.CharField(max_length=300)
    valid_from = models.DateTimeField(default=clock.now)
    retired_at = models.DateTimeField(null=True, blank=True)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    state = FSMField(max_length=12, choices=State.choices, default=State.LIVE, protected=True)
    state_version = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    why = models.CharField(max_length=300, blank=True, db_default="", help_text="Why it was changed")
    written_at = models.DateTimeField(default=clock.now, db_default=Now())
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    retire_asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    retire_why = models.CharField(max_length=300, blank=True, db_default="")

    _content_read: dict[str, Any] | None = None

    class Meta:
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="gate_version_once")]
        permissions = [
            ("edit_gate", "Can draft and submit gates"),
            ("approve_gate", "Can put a submitted gate in force"),
        ]

    def __str__(self) -> str:
        return f"{self.title} v{self.version}"

    @property
    def subject(self) -> str:
        """How ledger rows call this version."""
        return f"{self.name}:{self.version}"

    @property
    def content(self) -> dict[str, Any]:
        """What judges and what people read: all that may not change once it was submitted."""
        return {name: getattr(self, name) for name in CONTENT}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises BadRow for a row that could not be judged, Frozen for a change of what was submitted."""
        for row in self.rows:
            typed.check_row(row)
        if self._content_read is not None and self._content_read != self.content:
            raise Frozen(f"{self} is {self.get_state_display().lower()}; a change is a new version")
        super().save(*args, **kwargs)
        self._remember()

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        """Remember the content that was read, where it is frozen."""
        one = super().from_db(db, field_names, values, **kwargs)
        if set(CONTENT) | {"state"} <= set(field_names):
            one._remember()
        return one

    def _remember(self) -> None:
        is_draft = self.state == self.State.DRAFT
        self._content_read = None if is_draft else deepcopy(self.content)

    @edge(State.DRAFT, State.DRAFT)
    def change(self) -> None:
        """Somebody rewrote the draft."""

    @edge(State.DRAFT, State.SUBMITTED)
    def submit(self) -> None:
        """Its writer is done; another person looks at it."""

    @edge(State.SUBMITTED, State.DRAFT)
    def take_back(self) -> None:
        """Not yet: it is written on."""

    @edge(State.SUBMITTED, State.LIVE)
    def approve(self) -> None:
        """A second person agreed: it judges from `valid_from` on."""

    @edge([State.DRAFT, State.SUBMITTED], State.WITHDRAWN)
    def withdraw(self) -> None:
        """It never judged and never will."""

    @edge(State.LIVE, State.LIVE)
    def replace(self) -> None:
        """A newer version takes over at `retired_at`."""

    @edge(State.LIVE, State.LIVE)
    def ask_retire(self) -> None:
        """The first of two people wants the gate gone; it judges on."""

    @edge(State.LIVE, State.LIVE)
    def keep(self) -> None:
        """Nobody takes it away after all."""

    @edge(State.LIVE, State.WITHDRAWN)
    def retire(self) -> None:
        """A second person agreed: it judges no more."""
