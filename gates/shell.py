"""The shell is a person too: who runs a command, and what the door's refusals mean there."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from gates.stop import Refused

FOUND_TROUBLE, WRONG_USE = 1, 2


def add_person(parser: CommandParser, *, required: bool = True) -> None:
    """The option that says who is asking; what may be done is that person's to say."""
    parser.add_argument(
        "--as", dest="username", metavar="USER", required=required, default="", help="user name of who asks for this"
    )


def person(username: str) -> User:
    """The user of that name. Raises CommandError for nobody and for an account that is switched off."""
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"--as: there is no user named {username!r}", returncode=WRONG_USE)
    if not user.is_active:
        raise CommandError(f"--as: the account of {username!r} is switched off", returncode=WRONG_USE)
    return user


@contextmanager
def door() -> Iterator[None]:
    """Say a refusal in one sentence: exit 1 where things stand in the way, 2 where the request itself was wrong."""
    try:
        yield
    except Refused as refusal:
        returncode = FOUND_TROUBLE if refusal.status == 409 else WRONG_USE
        raise CommandError(refusal.message, returncode=returncode) from None
