"""What people keep for their own work at the queue: views, who looks at what, and their settings."""

from django.conf import settings
from django.db import models

from gates.models.review_item import ReviewItem
from ledger import clock

USER = settings.AUTH_USER_MODEL


class SavedView(models.Model):
    """A named address of a list: its filters. Private to `owner`, or shared with the group named in `shared_with`."""

    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500, blank=True)
    owner = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="saved_views")
    shared_with = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["name", "id"]
        permissions = [("share_view", "Can share saved views with a group")]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="view_once")]

    def __str__(self) -> str:
        return self.name


class Presence(models.Model):
    """Somebody has the page of an item open; older than a minute counts as gone."""

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(USER, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "user"], name="presence_once")]

    def __str__(self) -> str:
        return f"{self.user_id} at RV-{self.item_id}"


class Preference(models.Model):
    """One person's settings of the console."""

    user = models.OneToOneField(USER, on_delete=models.CASCADE, related_name="preference")
    zone = models.CharField(max_length=64, blank=True, help_text="IANA name; empty for the browser's")
    shortcuts = models.BooleanField(default=True)
    start_page = models.CharField(max_length=20, default="home")
    columns = models.JSONField(default=list)
    setup_away = models.BooleanField(
        default=False, db_default=False, help_text="The set-up checklist of Home is put away"
    )

    def __str__(self) -> str:
        return f"settings of {self.user_id}"
