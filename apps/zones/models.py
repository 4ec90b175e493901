"""Zones, their boot storage, their placements on hosts, and the readings of their host data."""

from __future__ import annotations

from django.db import models

from apps.base.ids import uuid7
from apps.fleet.models import Host
from kernelzone.facts import RegionStatus


class Zone(models.Model):
    """A kernel zone, identified by its boot storage and, once host data was read, by the uuid in it.

    `name` is what most placements call it and identifies nothing. `verdict` (kernelzone.ownership.Verdict) is what
    the current readings prove, kept for lists; `owner_hostid` is the owner the newest CLEAN reading names, "" when
    unknown. `high_water`: the highest generation ever read.
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    name = models.CharField(max_length=64)
    zone_uuid = models.UUIDField(null=True, unique=True)
    verdict = models.CharField(max_length=16, default="unknown")
    verdict_at = models.DateTimeField(null=True)
    owner_hostid = models.CharField(max_length=8, blank=True)
    high_water = models.BigIntegerField(default=0)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["name"]), models.Index(fields=["owner_hostid"])]

    def __str__(self) -> str:
        return self.name


class BootStorage(models.Model):
    """A bootable device. `identity` tells two of them apart: the NAA/EUI id where there is one, else the normalised
    URI where hosts share it, else the URI with the owner hostid before it, since such a path means another device on
    every host. `uri` is what it was first called; `device_ids` are in lower case.
    """

    identity = models.CharField(max_length=540, unique=True)
    uri = models.CharField(max_length=512)
    device_ids = models.JSONField(default=list)
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="boot_storages")

    def __str__(self) -> str:
        return self.uri


class Placement(models.Model):
    """One zone as one host knows it. `gone_at`: the host no longer configures it.

    `state` and `auxiliary` are Solaris' words as last reported; `key_id` is of the configured key, "" without one.
    `also_on`: names of other zones that boot storage it configures belongs to. `held_back`: why the host's return guard
    keeps it from booting (`host-data`, `obligation`), "" when it does not.
    `evacuation_target`: where `sysadm evacuate` would take it, "" where nothing is set or nobody asked.
    """

    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="placements")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="placements")
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=16)
    auxiliary = models.JSONField(default=list)
    autoboot = models.BooleanField(default=False)
    key_id = models.CharField(max_length=32, blank=True)
    configuration_sha256 = models.CharField(max_length=64, blank=True)
    evacuation_target = models.CharField(max_length=300, blank=True)
    also_on = models.JSONField(default=list)
    held_back = models.CharField(max_length=16, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    state_since = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["zone", "host"]
        constraints = [
            models.UniqueConstraint(
                fields=["host", "name"], condition=models.Q(gone_at__isnull=True), name="placement_once_per_host"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} on {self.host}"


class Reading(models.Model):
    """One look at host data: where, by whom, when, raw digest, what it says. Never changed.

    The fields are those of `kernelzone.facts.ReadingFacts`; `seen_at` is the reader's clock, `recorded_at` ours.
    `epoch`, `boot_id` and `monotonic_ms` place it in the agent's journal, as a warrant must name it.
    """

    nonce = models.CharField(max_length=32, unique=True)
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="readings")
    storage = models.ForeignKey(BootStorage, on_delete=models.PROTECT, related_name="readings")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="readings")
    agent_uuid = models.UUIDField()
    job_id = models.UUIDField(null=True)
    epoch = models.CharField(max_length=32)
    boot_id = models.CharField(max_length=64)
    monotonic_ms = models.BigIntegerField()
    seen_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=[(status.value, status.value) for status in RegionStatus])
    generation = models.BigIntegerField()
    raw_sha256 = models.CharField(max_length=64, blank=True)
    record_sha256 = models.CharField(max_length=64, blank=True)
    owner_hostid = models.CharField(max_length=8, blank=True)
    warning = models.CharField(max_length=32, blank=True)
    # the whole ReadingFacts as JSON: record, claim, key ids, slot errors
    facts = models.JSONField()

    class Meta:
        indexes = [
            models.Index(fields=["zone", "-recorded_at"], name="reading_by_zone"),
            models.Index(fields=["storage", "host", "-recorded_at"], name="reading_by_sighting"),
        ]

    def __str__(self) -> str:
        return f"{self.status} generation {self.generation} of {self.zone}"


class Sighting(models.Model):
    """What one host says now of one boot storage: its newest reading, and when that was last confirmed unchanged."""

    storage = models.ForeignKey(BootStorage, on_delete=models.PROTECT, related_name="sightings")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="sightings")
    reading = models.ForeignKey(Reading, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["storage", "host"], name="sighting_once")]


class OwnershipInterval(models.Model):
    """A stretch of time in which readings named one owner and state for a zone; `until` is null for the present."""

    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="intervals")
    owner_hostid = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=16)
    generation = models.BigIntegerField()
    is_forced = models.BooleanField(default=False)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    reading = models.ForeignKey(Reading, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["since"]
        constraints = [
            models.UniqueConstraint(
                fields=["zone"], condition=models.Q(until__isnull=True), name="interval_one_present"
            )
        ]


class SilentHost(models.Model):
    """A host that was silent when its zones were last looked at for conflicts: silence begins without a report."""

    host = models.OneToOneField(Host, on_delete=models.PROTECT, related_name="+")
    noted_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.host)
