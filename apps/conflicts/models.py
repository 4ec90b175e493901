"""Conflicts, and the evidence gathered about them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.base.ids import uuid7
from apps.fleet.models import Host
from apps.zones.models import Reading, Zone


class Conflict(models.Model):
    """Readings or states that cannot all be true, or a zone that cannot be used where it is wanted.

    One open conflict per (kind, zone). `facts`: what it was seen from, as JSON (owner, claimants, reading ids,
    slot errors); `resolved_how` says what closed it and is empty while it is open.
    """

    class Kind(models.TextChoices):
        HELD_ELSEWHERE = "held-elsewhere"
        KEY_WRONG = "key-wrong"
        TORN = "torn"
        TAMPERED = "tampered"
        DOUBLE_RUN = "double-run"
        FORCED_OUTSIDE = "forced-outside"
        STALE_CONFIGURATION = "stale-configuration"
        RETURN_PENDING = "return-pending"
        STORAGE_SHARED = "storage-shared"
        HOSTID_COLLISION = "hostid-collision"

    class Severity(models.IntegerChoices):
        LOW = 1
        MEDIUM = 2
        HIGH = 3
        CRITICAL = 4

    id = models.UUIDField(primary_key=True, default=uuid7)
    kind = models.CharField(max_length=32, choices=Kind)
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="conflicts")
    severity = models.IntegerField(choices=Severity)
    # the host that wants the zone (held-elsewhere, key-wrong) or on which it was seen; what a door would act on
    host = models.ForeignKey(Host, null=True, on_delete=models.PROTECT, related_name="conflicts")
    reading = models.ForeignKey(Reading, null=True, on_delete=models.PROTECT, related_name="+")
    facts = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    resolved_at = models.DateTimeField(null=True)
    resolved_how = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-severity", "opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "zone"], condition=models.Q(resolved_at__isnull=True), name="conflict_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.zone}"


class EvidenceSheet(models.Model):
    """One gathering of evidence about one zone, for a take-over by one host.

    `facts`: canonical JSON bytes of what was found, without times and ages; `facts_sha256` is what people approve.
    Both are set once, when the sheet is complete, and never change. `deadline_at`: what has not answered by then is
    written down as silent. `reading`: the target agent's own fresh reading that the sheet rests on.
    """

    class State(models.TextChoices):
        GATHERING = "gathering"
        COMPLETE = "complete"

    id = models.UUIDField(primary_key=True, default=uuid7)
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="sheets")
    target = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="+")
    conflict = models.ForeignKey(Conflict, null=True, on_delete=models.PROTECT, related_name="sheets")
    state = models.CharField(max_length=16, choices=State, default=State.GATHERING)
    window_s = models.IntegerField()
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    subject_kind = models.CharField(max_length=32, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    begun_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    reading = models.ForeignKey(Reading, null=True, on_delete=models.PROTECT, related_name="+")
    facts = models.BinaryField(null=True)
    facts_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="gathering") | ~models.Q(facts_sha256=""), name="sheet_complete_has_digest"
            )
        ]


class EvidenceRow(models.Model):
    """What one independent path says: value, source and one of five words. `at`: when it was true, source's clock.

    `job_id`: the job that asked. A row without a word is still being asked.
    """

    class Probe(models.TextChoices):
        HOST_DATA_FROM_HERE = "host-data-from-here"
        OWNERS_AGENT = "owners-agent"
        WRITE_SAMPLES = "write-samples"
        PERSONS_WORD = "persons-word"

    class Word(models.TextChoices):
        PROVES_OFF = "proves-off"
        SUGGESTS_OFF = "suggests-off"
        SAYS_NOTHING = "says-nothing"
        SUGGESTS_ON = "suggests-on"
        PROVES_ON = "proves-on"

    sheet = models.ForeignKey(EvidenceSheet, on_delete=models.PROTECT, related_name="rows")
    probe = models.CharField(max_length=32, choices=Probe)
    source = models.CharField(max_length=255)
    asked_at = models.DateTimeField()
    at = models.DateTimeField(null=True)
    word = models.CharField(max_length=16, choices=Word, blank=True)
    value = models.JSONField(default=dict)
    sentence = models.CharField(max_length=500, blank=True)
    job_id = models.UUIDField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["sheet", "probe", "source"], name="evidence_row_once"),
        ]


class PersonsWord(models.Model):
    """What a person says they know about a zone's owner ("I pulled the plug"): asserted, never proved."""

    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="persons_words")
    owner_hostid = models.CharField(max_length=8)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    said_at = models.DateTimeField()
    text = models.CharField(max_length=1000)
    how = models.CharField(max_length=1000)
    contradicted_at = models.DateTimeField(null=True)
    contradicted_by = models.CharField(max_length=255, blank=True)


class Waiver(models.Model):
    """One safe door a person gave up for one conflict, with the reason; needed before a forced door opens."""

    conflict = models.ForeignKey(Conflict, on_delete=models.PROTECT, related_name="waivers")
    door = models.CharField(max_length=32)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    waived_at = models.DateTimeField()
    reason = models.CharField(max_length=1000)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conflict", "door"], name="waiver_once")]


class Obligation(models.Model):
    """What a host that lost a zone to a forced action still has to confirm: that it does not run it, autoboot off.

    `owner_hostid`: the loser, which need not be known here. `zone_name`: as the loser calls the zone. `generation`:
    of the host data that made the new owner. `order_id`: the order that took the zone. One open per (zone, loser).
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="obligations")
    owner_hostid = models.CharField(max_length=8)
    zone_name = models.CharField(max_length=64)
    new_owner_hostid = models.CharField(max_length=8)
    generation = models.BigIntegerField()
    order_id = models.UUIDField()
    opened_at = models.DateTimeField()
    met_at = models.DateTimeField(null=True)
    met_how = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        indexes = [models.Index(fields=["owner_hostid"], name="obligation_by_loser")]
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "owner_hostid"], condition=models.Q(met_at__isnull=True), name="obligation_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.zone_name} lost by {self.owner_hostid}"
