"""Linking people: which account here a Slack identity belongs to. Only an operator does this, never a click.

Who may link can act as anybody: the permission is in no shipped group, superusers have it.
"""

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from gates.stop import Refused
from ledger import book
from sync import providers
from sync.contracts.slack import SOURCE
from sync.providers.slack import Slack, is_user_id
from sync.slack.models import SlackAccount

PERMISSION = "sync.change_slackaccount"


def link(user: User, slack_user: str, *, actor: str = "", by: User | None = None) -> SlackAccount:
    """Link an account to a Slack identity of our workspace; the one it had before is given up.

    `by` is the person who does it on a page; at the shell, where everything is allowed, `actor` says what did it.
    Raises Refused: 403 permission, 422 for what is no id, 409 for no workspace or an identity that is somebody else's.
    """
    actor, team = _who(by, user, "link", actor), _team()
    if not is_user_id(slack_user):
        raise Refused(422, "slack_user", "slack_user: a person's id in Slack, like U024BE7LH")
    if not user.is_active:
        raise Refused(409, "inactive", f"{user.get_username()} is out of use")
    try:
        with transaction.atomic():
            made, _ = SlackAccount.objects.update_or_create(
                team=team, user=user, defaults={"slack_user": slack_user, "linked_by": actor}
            )
            _row(user, "link", actor, slack_user)
    except IntegrityError:
        raise Refused(409, "taken", f"{slack_user} is linked to another account; one person is one account") from None
    return made


def unlink(user: User, *, actor: str = "", by: User | None = None) -> bool:
    """Take an account's Slack identity away; says whether there was one. Raises Refused 403."""
    actor = _who(by, user, "unlink", actor)
    with transaction.atomic():
        gone, _ = SlackAccount.objects.filter(user=user).delete()
        if gone:
            _row(user, "unlink", actor, "")
    return bool(gone)


def look_up(user: User) -> str:
    """The Slack id of who confirmed this account's address there. Raises Refused where nobody did, or two could."""
    team, email = _team(), user.email.strip()
    if not email:
        raise Refused(422, "email", f"{user.get_username()} has no address to look for; name the Slack id")
    if User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists():
        raise Refused(409, "email", "another account has the same address; name the Slack id")
    chat = providers.get(SOURCE)
    assert isinstance(chat, Slack)
    found = chat.member(email)
    fits = found is not None and found.is_confirmed and found.is_active and found.team == team
    if found is None or not fits or found.email.casefold() != email.casefold():
        raise Refused(404, "nobody", "nobody in the workspace has confirmed this address; name the Slack id")
    return found.id


def _team() -> str:
    team = str(settings.MESHLINE_PROVIDERS.get(SOURCE, {}).get("team_id") or "")
    if not team:
        raise Refused(409, "not_connected", "Slack is not connected: set MESHLINE_SLACK_TEAM_ID and the others")
    return team


def _who(by: User | None, user: User, decision: str, actor: str) -> str:
    """The actor for the ledger. Raises Refused 403, with a row, where a person may not."""
    if by is None:
        return actor
    if not (by.is_active and by.has_perm(PERMISSION)):
        row = {"outcome": "refused", "error_code": "permission"}
        _row(user, decision, f"user:{by.pk}", "", **row)
        raise Refused(403, "permission", f"your account may not {decision} Slack accounts; it needs {PERMISSION}")
    return f"user:{by.pk}"


def _row(user: User, decision: str, actor: str, slack_user: str, **more: str) -> None:
    row = {
        "subject_kind": "account", "subject_id": str(user.pk), "decision": decision, "actor": actor,
        "prior_state": "active", "post_state": "active", "outcome": f"{decision}ed",
        "inputs": {"slack_user": slack_user} if slack_user else {}, **more,
    }  # fmt: skip
    book.write_rows([row])
