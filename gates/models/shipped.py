"""ShippedGroup: what an installation was given of a group, so that only what is new is added to it later."""

from django.db import models


class ShippedGroup(models.Model):
    """The permissions that were ever shipped to one group. What people took away since stays away."""

    name = models.CharField(max_length=80, unique=True)
    permissions = models.JSONField(default=list, help_text='As "gates.claim_item"')

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
