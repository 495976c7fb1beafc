"""ApiToken: lets a program act as one person, with that person's permissions and no more."""

import hashlib
import secrets
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, models
from django.db.models.functions import Now

from ledger import clock

PREFIX = "mesh_"
RANDOM_BYTES = 32
# One statement per request counts the call and says when the token was used last, for every process alike.
COUNT_SQL = """
update gates_apitoken
   set calls = case when minute = %(minute)s then calls + 1 else 1 end, minute = %(minute)s, used_at = %(now)s
 where id = %(id)s returning calls"""


def digest_of(secret: str) -> str:
    """What is stored of a secret. It has 256 random bits, so one round of SHA-256 cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiToken(models.Model):
    """The secret itself is shown once and stored nowhere; `last_four` are its last characters, for people.

    `minute` (minutes since 1970) and `calls` are the throttle's count of the running minute.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    label = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(default=clock.now, db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    minute = models.BigIntegerField(default=0, db_default=0)
    calls = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"token …{self.last_four} of {self.user_id}"

    @classmethod
    def issue(cls, user: User, *, expires_at: datetime, label: str = "") -> tuple[Self, str]:
        """A new token of this person and its secret, which nobody can read again later."""
        secret = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        made = cls.objects.create(
            user=user, digest=digest_of(secret), last_four=secret[-4:], label=label, expires_at=expires_at
        )
        return made, secret

    @classmethod
    def found(cls, secret: str) -> Self | None:
        """The token of this secret if it still holds: known, not revoked, not expired."""
        valid = cls.objects.filter(digest=digest_of(secret), revoked_at=None, expires_at__gt=clock.now())
        return valid.select_related("user").first()

    def count(self) -> int:
        """Count one call; returns how many this minute had."""
        now = clock.now()
        with connection.cursor() as cursor:
            cursor.execute(COUNT_SQL, {"minute": int(now.timestamp()) // 60, "now": now, "id": self.pk})
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def revoke(self) -> None:
        """It is worth nothing from now on."""
        if self.revoked_at is None:
            self.revoked_at = clock.now()
            self.save(update_fields=["revoked_at"])
