"""Hosts and the agents that speak for them."""

from __future__ import annotations

import uuid

from django.db import models


class Deployment(models.Model):
    """Which installation this is; one row. Orders and reports of another one are refused."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    uuid = models.UUIDField(default=uuid.uuid4)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="deployment_one")]


class Agent(models.Model):
    """A Celery worker that acts for one or more hosts, known by its uuid and its Ed25519 key.

    `public_key`: 64 hex digits. `epoch` and `last_seq` name the last report taken in; a new epoch means the agent
    lost its journal. `last_report_at` is the site's clock. `broker_password_sha256`: 64 hex digits, "" while the
    broker has no user for it.
    """

    class State(models.TextChoices):
        TRUSTED = "trusted"
        SUSPENDED = "suspended"
        REVOKED = "revoked"

    uuid = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=64)
    public_key = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=16, choices=State, default=State.TRUSTED)
    epoch = models.CharField(max_length=32, blank=True)
    last_seq = models.BigIntegerField(default=0)
    last_report_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=32, blank=True)
    trusted_at = models.DateTimeField(auto_now_add=True)
    broker_password_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["trusted", "suspended", "revoked"]), name="agent_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.uuid})"


class Host(models.Model):
    """A machine with a global zone, named by its owner hostid and never by its hostname.

    `last_heard_at`: when its agent last spoke for it (the site's clock); silence proves nothing. `state_sha256`: the
    digest of its whole state as last taken in at `state_taken_at`, "" while none is known, or something happened
    since. `labels`: text to text. `maintenance_since`: begun here, by a person; `maintenance_on_host`: what the host's
    own `sysadm maintain` says, "" when it says nothing or was not asked.
    """

    owner_hostid = models.CharField(max_length=8, unique=True)
    hostname = models.CharField(max_length=255, blank=True)
    site = models.CharField(max_length=64, blank=True)
    rack = models.CharField(max_length=64, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    agent = models.ForeignKey(Agent, null=True, on_delete=models.PROTECT, related_name="hosts")
    boot_environment = models.CharField(max_length=64, blank=True)
    boot_environment_uuid = models.UUIDField(null=True)
    release = models.CharField(max_length=32, blank=True)
    boot_id = models.CharField(max_length=64, blank=True)
    state_sha256 = models.CharField(max_length=64, blank=True)
    state_taken_at = models.DateTimeField(null=True)
    maintenance_since = models.DateTimeField(null=True)
    maintenance_on_host = models.CharField(max_length=255, blank=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    last_heard_at = models.DateTimeField(null=True)
    inspected_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["site", "rack", "hostname", "owner_hostid"]
        indexes = [models.Index(fields=["site", "rack"])]

    def __str__(self) -> str:
        return self.hostname or self.owner_hostid


class HostIdentity(models.Model):
    """One combination of names under which a host was seen, with its first and last sighting."""

    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="identities")
    owner_hostid = models.CharField(max_length=8)
    hostname = models.CharField(max_length=255)
    boot_environment = models.CharField(max_length=64)
    boot_environment_uuid = models.UUIDField(null=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["host", "owner_hostid", "hostname", "boot_environment", "boot_environment_uuid"],
                name="host_identity_once",
                nulls_distinct=False,
            )
        ]
