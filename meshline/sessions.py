"""When a session ends: with the role, the account or the password it was opened with, and after a while of rest."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest

from gates import assistants
from ledger import cells, clock

log = structlog.get_logger(__name__)

ROLE, SEEN, PROVED = "meshline_role", "meshline_seen", "meshline_proved"
SAVE_EACH = timedelta(minutes=1)
# What makes somebody worth signing out early.
POWERS = ("gates.approve_item", "gates.approve_above_limit", "gates.resume_stop", "gates.change_automation")

ROLE_SQL = """
concat_ws('|', auth_user.is_staff, auth_user.is_superuser,
  (select string_agg(g.group_id::text, ',' order by g.group_id) from auth_user_groups g where g.user_id = auth_user.id),
  (select string_agg(p.permission_id::text, ',' order by p.permission_id) from auth_user_user_permissions p
    where p.user_id = auth_user.id))"""


class Backend(assistants.Backend):
    """Django's own, cut for assistants; what each request needs of its person is read in the same statement."""

    def get_user(self, user_id: Any) -> User | None:
        """The person of a session, with role and settings; None when the account was switched off."""
        user = with_role(User.objects.select_related("preference")).filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


def with_role(users: QuerySet[User]) -> QuerySet[User]:
    """People with `role`: a text that changes with their groups, their own permissions and their standing."""
    return users.annotate(role=RawSQL(ROLE_SQL, ()))  # noqa: S611  a constant


def role_of(user: Any) -> str:
    """The role of a person, read anew unless it was read with them."""
    known = getattr(user, "role", None)
    return known if isinstance(known, str) else _read_role(user.pk)


def _read_role(user_id: int) -> str:
    read: str = getattr(with_role(User.objects.filter(pk=user_id)).get(), "role", "")
    return read


def opened(sender: Any, request: HttpRequest, user: Any, **_signal: Any) -> None:
    """Somebody signed in: remember in which role, and that the password was given just now."""
    now = _now()
    request.session[ROLE] = _read_role(user.pk)
    request.session[SEEN] = request.session[PROVED] = now
    log.info("signed_in", user_id=user.pk)


def closed(sender: Any, request: HttpRequest, user: Any, **_signal: Any) -> None:
    """Somebody signed out, or was signed out."""
    if user is not None and user.pk:
        log.info("signed_out", user_id=user.pk)


def connect() -> None:
    """Follow Django's own signals; called once when everything is loaded."""
    user_logged_in.connect(opened, dispatch_uid="meshline.sessions.opened")
    user_logged_out.connect(closed, dispatch_uid="meshline.sessions.closed")


def over(request: HttpRequest, user: Any) -> str:
    """Why this session is over, as a sentence; empty while it goes on, which is then noted."""
    session = request.session
    if session.get(ROLE) != role_of(user):
        return "Your role or your account changed. Sign in again to go on with what you may do now."
    now, seen = _now(), session.get(SEEN)
    rest = now - seen if isinstance(seen, int) else 10**9
    if rest > settings.MESHLINE_SESSION_IDLE_SECONDS and rest > idle_limit(user):
        return f"You were signed out after {cells.length(timedelta(seconds=idle_limit(user)))} without a request."
    if rest >= min(SAVE_EACH.total_seconds(), settings.MESHLINE_SESSION_IDLE_SECONDS / 10):
        session[SEEN] = now
    return ""


def idle_limit(user: Any) -> int:
    """How many seconds this person may rest."""
    short, long = settings.MESHLINE_SESSION_IDLE_SECONDS, settings.MESHLINE_SESSION_IDLE_OTHERS_SECONDS
    return int(short if any(user.has_perm(one) for one in POWERS) else max(short, long))


def prove(session: Any) -> None:
    """The password was given just now."""
    session[PROVED] = _now()


def proved(session: Mapping[str, Any]) -> bool:
    """Whether the password was given recently enough for what matters most."""
    at = session.get(PROVED)
    return isinstance(at, int) and 0 <= _now() - at < settings.MESHLINE_STEP_UP_SECONDS


def _now() -> int:
    return int(clock.now().timestamp())
