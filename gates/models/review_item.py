"""ReviewItem: a person's turn."""

from django.conf import settings
from django.db import models
from django_fsm import FSMField

from ledger import clock
from ledger.models import Action, Customer, Event
from ledger.states import Stateful, edge


class ReviewItem(Stateful):
    """One thing that waits for a person, with a sentence, a reason, an owner group and a due time.

    It is about an action, or about an event that only a person can read. `why` is the rule or error class behind it.
    Its permissions are the verbs people have; `gates.review` checks them, not the page.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLAIMED = "claimed", "Claimed"
        SNOOZED = "snoozed", "Waiting"
        RESOLVED = "resolved", "Resolved"

    action = models.ForeignKey(Action, on_delete=models.PROTECT, null=True, related_name="review_items")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, null=True, related_name="review_items")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="review_items")
    state = FSMField(default=State.OPEN, choices=State.choices, protected=True)
    kind = models.CharField(max_length=60)
    sentence = models.CharField(max_length=500)
    why = models.CharField(max_length=60)
    reason = models.CharField(max_length=500, blank=True)
    owner_group = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    claimed_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    amount_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    correlation_id = models.UUIDField(null=True)
    resolution = models.CharField(max_length=40, blank=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    cause = models.CharField(max_length=300, blank=True)
    corrective_action = models.CharField(max_length=300, blank=True)
    prevention = models.CharField(max_length=300, blank=True)
    provider = models.CharField(max_length=32, blank=True, db_default="")
    automation = models.CharField(max_length=60, blank=True, db_default="")
    tier = models.CharField(max_length=16, blank=True, db_default="")
    error_code = models.CharField(
        max_length=60, blank=True, db_default="", help_text="What failed, for groups of failures"
    )
    confidence = models.FloatField(null=True)
    fallback_group = models.CharField(max_length=80, blank=True, db_default="")
    routed_by = models.CharField(
        max_length=200, blank=True, db_default="", help_text="The ownership rule that chose the owner"
    )
    target_seconds = models.PositiveIntegerField(
        default=86_400, db_default=86_400, help_text="From opened to due, as promised"
    )
    touch_due_at = models.DateTimeField(null=True)
    touched_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True, help_text="The SLA rests: the customer has to answer")
    sla_from = models.DateTimeField(
        null=True, help_text="From when the SLA counts, where it rested or began anew; else since it was opened"
    )
    bump_at = models.DateTimeField(null=True, help_text="When the next step of the SLA is due")
    bumps = models.PositiveSmallIntegerField(default=0, db_default=0)
    snoozed_until = models.DateTimeField(null=True)
    snooze_why = models.CharField(max_length=12, blank=True, db_default="")
    evidence = models.JSONField(
        default=dict, blank=True, db_default=models.Value({}, models.JSONField()),
        help_text="First signal, trusted fields, what remains",
    )  # fmt: skip
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["due_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["action"], name="item_once_while_open", condition=~models.Q(state="resolved")
            ),
        ]
        indexes = [
            # What Home counts stands in the index itself: the rows of open items lie scattered among the ended ones.
            models.Index(
                fields=["due_at", "id"],
                name="item_due",
                condition=~models.Q(state="resolved"),
                include=["created_at", "paused_at", "touched_at", "action"],
            ),
            models.Index(
                fields=["error_code", "provider", "automation"],
                name="item_failed",
                include=["why", "created_at", "action"],
                condition=~models.Q(state="resolved"),
            ),
            models.Index(
                fields=["resolved_at"],
                name="item_ended",
                include=["created_at", "due_at"],
                condition=models.Q(resolved_at__isnull=False),
            ),
            models.Index(fields=["owner", "state"], name="item_owner", condition=~models.Q(state="resolved")),
            models.Index(fields=["bump_at"], name="item_bump", condition=~models.Q(state="resolved")),
            models.Index(fields=["customer", "-id"], name="item_customer"),
        ]
        permissions = [
            ("claim_item", "Can claim, release and comment on review items"),
            ("approve_item", "Can approve up to the first limit"),
            ("approve_above_limit", "Can approve above the first limit"),
            ("reject_item", "Can reject"),
            ("retry_item", "Can retry failed actions and look up unknown ones"),
            ("propose_action", "Can ask for an action"),
            ("edit_action", "Can change an action that waits for a decision"),
            ("rollback_action", "Can ask for what undoes a confirmed action"),
            ("assign_item", "Can assign review items to others"),
            ("bulk_decide", "Can decide several review items at once"),
        ]

    def __str__(self) -> str:
        return f"RV-{self.pk}"

    @edge(State.OPEN, State.CLAIMED)
    def claim(self) -> None:
        """Somebody works on it."""

    @edge(State.CLAIMED, State.OPEN)
    def release(self) -> None:
        """Given back."""

    @edge([State.OPEN, State.CLAIMED], State.SNOOZED)
    def snooze(self) -> None:
        """Waits for a time or for the customer."""

    @edge(State.SNOOZED, State.OPEN)
    def wake(self) -> None:
        """The wait is over."""

    @edge([State.OPEN, State.CLAIMED], State.OPEN)
    def escalate(self) -> None:
        """The next owner, a new due time."""

    @edge([State.OPEN, State.CLAIMED, State.SNOOZED], State.RESOLVED)
    def resolve(self) -> None:
        """Decided, or overtaken."""


class Comment(models.Model):
    """What a person wrote on a review item; never sent anywhere."""

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=4000)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"comment {self.pk} on RV-{self.item_id}"
