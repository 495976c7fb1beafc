"""Accounts of assistants: programs that suggest. They propose and ask whether a text is true, and decide nothing.

Who is in the group is one. Whatever other groups give the account, `Backend` lets it have no more than the group was
shipped with, so that no door anywhere opens to it.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Permission, User

GROUP, MARK = "Assistant", "sync.assist"
MAY = frozenset({
    MARK, "gates.propose_action", "sync.verify_claim", "sync.view_claimcheck", "ledger.view_customer",
    "ledger.view_contract", "ledger.view_event", "ledger.view_action", "ledger.view_ledgerrow",
    "ledger.view_externalid", "ledger.view_contextrecord", "gates.view_reviewitem", "gates.view_stopswitch",
    "gates.view_automation", "gates.view_gateversion", "gates.view_runbook",
})  # fmt: skip


def is_assistant(user: User) -> bool:
    """Whether a person has to decide on whatever this account asks for."""
    if user.is_superuser:  # holds every permission, this one as well
        return user.groups.filter(name=GROUP).exists()
    return user.is_active and user.has_perm(MARK)


class Backend(ModelBackend):
    """Django's own, but an assistant's permissions are cut to what assistants may, and read in one statement."""

    def get_all_permissions(self, user_obj: AbstractBaseUser | AnonymousUser, obj: Any = None) -> set[str]:
        """As ever for people; superusers do not ask here."""
        if obj is None and isinstance(user_obj, User) and user_obj.is_active and not user_obj.is_superuser:
            _read_once(user_obj)
        found: set[str] = super().get_all_permissions(user_obj, obj)  # type: ignore[arg-type]
        is_cut = MARK in found and not getattr(user_obj, "is_superuser", False)
        return found & MAY if is_cut else found


def _read_once(user: User) -> None:
    """What Django keeps with a person after asking twice: permissions of their own, and those of their groups."""
    if hasattr(user, "_perm_cache"):
        return
    names = ("content_type__app_label", "codename")
    own = user.user_permissions.order_by().values_list(*names)
    shared = Permission.objects.filter(group__in=user.groups.all()).order_by().values_list(*names)
    user._perm_cache = {f"{app}.{name}" for app, name in own.union(shared)}  # type: ignore[attr-defined]
