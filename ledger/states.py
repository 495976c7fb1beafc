"""The base of every record with a state: transitions are methods, a save holds only over the version it read."""

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Self

from django.db import models
from django.db.models.query import QuerySet
from django_fsm import transition


class StaleState(Exception):
    """Somebody else moved the record since it was read; nothing was written. Read again and decide again."""


def edge(source: str | Sequence[str], target: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A transition from `source` to `target` that raises `state_version`, self-edges included."""

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def stepped(self: "Stateful", *args: Any, **kwargs: Any) -> Any:
            result = method(self, *args, **kwargs)
            self.state_version += 1
            return result

        moved: Callable[..., Any] = transition(field="state", source=source, target=target)(stepped)
        return moved

    return decorate


class Stateful(models.Model):
    """A record with `state` and `state_version`; raises StaleState instead of overwriting another's move."""

    state_version = models.PositiveIntegerField(default=0, editable=False)

    _version_read: int | None

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save over the version that was read. Raises StaleState when somebody moved the record meanwhile."""
        super().save(*args, **kwargs)
        self._version_read = self.state_version

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        """Remember the version that was read: it is what a save is conditional on."""
        instance = super().from_db(db, field_names, values, **kwargs)
        instance._version_read = instance.__dict__.get("state_version")
        return instance

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Read again, and from now on save over the version read here."""
        self.__dict__.pop("state", None)  # a protected state may be set only where there is none
        super().refresh_from_db(*args, **kwargs)
        self._version_read = self.__dict__.get("state_version")

    def _do_update(self, base_qs: QuerySet[Any], using: Any, pk_val: Any, *args: Any) -> Any:
        read = getattr(self, "_version_read", None)
        guarded = base_qs if read is None else base_qs.filter(state_version=read)
        updated = super()._do_update(guarded, using, pk_val, *args)
        # Django would fall through to an INSERT when no row was hit, hence the look at the unguarded set.
        if not updated and read is not None and base_qs.filter(pk=pk_val).exists():
            raise StaleState(f"{self._meta.label} {pk_val} was changed meanwhile")
        return updated


def edges_of(model: type[Stateful]) -> frozenset[tuple[str, str, str]]:
    """The state graph of a model as (prior, verb, post), read from its transitions: the one place it is written."""
    field = model._meta.get_field("state")  # type: ignore[misc]
    found = set()
    for step in field.get_all_transitions(model):
        found.add((str(step.source), step.name, str(step.target)))
    return frozenset(found)
