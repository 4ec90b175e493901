"""Hosts and the agents that speak for them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from apps.fleet.workflow import State


class Deployment(models.Model):
    """Which installation this is; one row. Orders and reports of another one are refused."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    uuid = models.UUIDField(default=uuid.uuid4)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="deployment_one")]


class AuthorityKey(models.Model):
    """A key that signs orders, or did; written by the signer. The newest is the one that agents learn at enrolment.

    `statement`: the envelope by which the key before names this one, "" for the first.
    """

    public_key = models.CharField(max_length=64, unique=True)
    statement = models.TextField(blank=True)
    begun_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]


class Agent(models.Model):
    """A Celery worker that acts for one or more hosts, known by its uuid and its Ed25519 key.

    `public_key`, `sealing_key`: 64 hex digits; `sealing_statement`: the envelope in which the one signs the other, ""
    for an agent that was made known by hand. `old_key`: what it signs with until `old_key_until` besides. `epoch` and
    `last_seq` name the last report taken in; a new epoch means the agent lost its journal. `last_report_at` is the
    site's clock. `state_reason`: why somebody, or the site, suspended or revoked it.
    `broker_password_sha256`: 64 hex digits, "" while the broker has no user for it.
    """

    uuid = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=64)
    public_key = models.CharField(max_length=64, unique=True)
    old_key = models.CharField(max_length=64, blank=True)
    old_key_until = models.DateTimeField(null=True)
    key_since = models.DateTimeField(auto_now_add=True)
    sealing_key = models.CharField(max_length=64, blank=True)
    sealing_statement = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.TRUSTED)
    state_reason = models.TextField(blank=True)
    epoch = models.CharField(max_length=32, blank=True)
    last_seq = models.BigIntegerField(default=0)
    last_report_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=32, blank=True)
    enrolled_at = models.DateTimeField(auto_now_add=True)
    trusted_at = models.DateTimeField(null=True)
    broker_password_sha256 = models.CharField(max_length=64, blank=True)

    State = State

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="agent_state_known"),
            models.UniqueConstraint(
                fields=["sealing_key"], condition=~models.Q(sealing_key=""), name="agent_sealing_key_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.uuid})"


class JoinToken(models.Model):
    """What lets one new agent ask, once and for a quarter of an hour, to speak for these hosts.

    `sha256`: of its text, which is shown once and not kept. `hosts`: objects with owner_hostid, hostname, site, rack.
    `agent`: who used it.
    """

    sha256 = models.CharField(max_length=64, unique=True)
    hosts = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="join_tokens")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    agent = models.OneToOneField(Agent, null=True, on_delete=models.PROTECT, related_name="join_token")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(used_at=None, agent=None) | models.Q(used_at__isnull=False, agent__isnull=False),
                name="join_token_used_by_somebody",
            )
        ]


class JoinGuesses(models.Model):
    """How many wrong join tokens came from one address since `since`. Counted anew after a while of peace."""

    address = models.CharField(max_length=45, unique=True)
    since = models.DateTimeField()
    count = models.IntegerField(default=0)


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
    # boot ids it had before, the newest first: one that comes back is another machine's
    boot_ids = models.JSONField(default=list)
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


class HostidClaim(models.Model):
    """Somebody else who answers as this host: another agent, or (`agent` null) a machine whose boot id came back.

    `noted_at`: when its conflicts were looked at; `ended_at`: nobody has made the claim for a while.
    """

    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="hostid_claims")
    agent = models.ForeignKey(Agent, null=True, on_delete=models.PROTECT, related_name="hostid_claims")
    boot_id = models.CharField(max_length=64, blank=True)
    hostname = models.CharField(max_length=255, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    noted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "agent", "boot_id"], name="hostid_claim_once", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        if self.agent is not None:
            return f"the agent {self.agent.name}"
        return f"a machine with boot id {self.boot_id[:12]}"


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
