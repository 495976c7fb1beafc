"""`api_token`: let a program act as a person, see who has tokens, take one back."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates import shell
from gates.models import ApiToken
from ledger import clock

MOST_DAYS = 365


class Command(BaseCommand):
    """The secret is printed once and stored nowhere; a token may what its person may, and nothing that asks for
    the password again."""

    help = "Make a token of a person for the API, list that person's tokens, or revoke one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose, for how long, or which one to end."""
        parser.add_argument("username", metavar="USER", help="whose permissions the token has")
        parser.add_argument("--days", type=int, help=f"make a token that is valid this long, 1 to {MOST_DAYS}")
        parser.add_argument("--label", default="", help="what it is for, at most 80 characters")
        parser.add_argument("--revoke", type=int, metavar="ID", help="end this token of the person")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make one, revoke one, or list them."""
        user = shell.person(options["username"])
        if options["revoke"] is not None:
            found = self._revoke(user.pk, options["revoke"])
        elif options["days"] is not None:
            found = self._issue(user, options["days"], options["label"])
        else:
            found = {"tokens": [described(one) for one in ApiToken.objects.filter(user=user)]}
        self.stdout.write(json.dumps(found) if options["json"] else "\n".join(lines(found)))

    def _issue(self, user: Any, days: int, label: str) -> dict[str, Any]:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days: 1 to {MOST_DAYS}, not {days}", returncode=shell.WRONG_USE)
        if len(label) > 80 or "\x00" in label:
            raise CommandError("--label: at most 80 characters", returncode=shell.WRONG_USE)
        made, secret = ApiToken.issue(user, expires_at=clock.now() + timedelta(days=days), label=label)
        return {**described(made), "secret": secret}

    def _revoke(self, user_id: int, token_id: int) -> dict[str, Any]:
        token = ApiToken.objects.filter(user=user_id, pk=token_id).first()
        if token is None:
            raise CommandError(f"--revoke: this person has no token {token_id}", returncode=shell.WRONG_USE)
        token.revoke()
        return described(token)


def described(token: ApiToken) -> dict[str, Any]:
    """A token without its secret."""
    state = "revoked" if token.revoked_at else "expired" if token.expires_at <= clock.now() else "valid"
    return {
        "id": token.pk, "ends_with": token.last_four, "label": token.label, "state": state,
        "expires_at": token.expires_at.isoformat(), "used_at": token.used_at.isoformat() if token.used_at else None,
    }  # fmt: skip


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    if "tokens" in found:
        return [line for one in found["tokens"] for line in lines(one)] or ["no token"]
    said = [f"token {found['id']} …{found['ends_with']} {found['state']} until {found['expires_at']} {found['label']}"]
    if "secret" in found:
        said += ["", found["secret"], "", "This is the only time it is shown. Send it as: Authorization: Bearer ..."]
    return said
