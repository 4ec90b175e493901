"""People, what they may do, and what they prove it with."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from apps.accounts.policy import Role
from apps.base.ids import uuid7


class User(AbstractUser):
    """An account. Two accounts of one person share `person_id`, and count as one where people are counted."""

    person_id = models.UUIDField(default=uuid.uuid4, db_index=True)

    def __str__(self) -> str:
        return self.get_full_name() or self.get_username()


class RoleGrant(models.Model):
    """A role given to an account, from `granted_at` to `retired_at`. Retired, never deleted."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    granted_at = models.DateTimeField()
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="grants_given")
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role"], condition=Q(retired_at=None), name="role_granted_once"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.user}"


class TokenKind(models.TextChoices):
    """A personal token acts as its person; a service token never approves."""

    PERSONAL = "personal", "personal"
    SERVICE = "service", "service"


class ApiToken(models.Model):
    """A token for the API, kept as the SHA-256 (64 hex digits) of what was shown once.

    scopes: permissions the token may use, or ["*"] for all that its user has.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=TokenKind.choices, default=TokenKind.PERSONAL)
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=TokenKind.values), name="token_kind_known"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")), name="token_expires_after_it_was_made"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class SecondFactorGuard(models.Model):
    """One row per account: which TOTP time step was used last, and the wrong guesses of late.

    last_step: posix seconds // 30 of the newest code accepted. A step is used once, and none before it after it.
    """

    user = models.OneToOneField(User, on_delete=models.PROTECT, primary_key=True, related_name="second_factor_guard")
    last_step = models.BigIntegerField(default=0)
    wrong_guesses = models.PositiveIntegerField(default=0)
    first_guess_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"second factor of {self.user}"
