"""`link_slack`: say which Slack identity is a person's, so that their clicks count."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gates.stop import Refused
from sync.errors import ProviderError
from sync.slack import linking

ACTOR = "operator:link_slack"


class Command(BaseCommand):
    """With an id it is taken as it is; without one Slack is asked who confirmed the account's address."""

    help = "Link an account to a Slack user, by id or by the account's e-mail address; or take the link away."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whom, and to whom."""
        parser.add_argument("user", help="user name of the account")
        parser.add_argument("slack_id", nargs="?", default="", help="U024BE7LH; left out: looked up by e-mail")
        parser.add_argument("--remove", action="store_true", help="take the link away")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was linked."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no account {options['user']!r}.", returncode=2)
        if options["remove"]:
            gone = linking.unlink(user, actor=ACTOR)
            self.stdout.write(f"{user} is not linked any more." if gone else f"{user} was not linked.")
            return
        try:
            found = options["slack_id"] or linking.look_up(user)
            linking.link(user, found, actor=ACTOR)
        except Refused as refusal:
            raise CommandError(f"Nothing was linked: {refusal.message}", returncode=1) from None
        except ProviderError as error:
            raise CommandError(f"Nothing was linked: Slack says {error.message}", returncode=1) from None
        self.stdout.write(f"{user} is {found} in Slack.")
