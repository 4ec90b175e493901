"""Jobs: the rows that follow an order from a service to the result; and what agents post."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.base.ids import uuid7
from apps.fleet.models import Agent, Host
from apps.jobs.workflow import State


class Job(models.Model):
    """One order and everything known of it. `id` is the order id; `key` makes an intended effect happen once.

    `args` and `warrant` are the JSON of `kernelzone.orders`; the signer makes `envelope` from the row, and nobody
    else can. `subject_kind` and `subject_id` say which row of a higher app wanted it. Times are the site's clock;
    `not_before` and `not_after` are signed.
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=32)
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="jobs")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="jobs")
    zone_name = models.CharField(max_length=64, blank=True)
    zone_uuid = models.UUIDField(null=True)
    args = models.JSONField(default=dict)
    warrant = models.JSONField(null=True)
    subject_kind = models.CharField(max_length=32, blank=True)
    subject_id = models.CharField(max_length=64, blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="jobs")
    state = models.CharField(max_length=16, choices=State, default=State.NEW)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    envelope = models.BinaryField(null=True)
    payload_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    signed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    sent_count = models.IntegerField(default=0)
    send_again_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    progress_done = models.IntegerField(default=0)
    progress_of = models.IntegerField(default=0)
    progress_what = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=64, blank=True)
    final_report = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="job_state_known"),
            models.CheckConstraint(
                condition=models.Q(state__in=["new", "expired", "cancelled"]) | models.Q(envelope__isnull=False),
                name="job_envelope_once_signed",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "send_again_at"], name="job_to_send"),
            models.Index(fields=["subject_kind", "subject_id"], name="job_subject"),
            models.Index(fields=["host", "-created_at"], name="job_by_host"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.zone_name} ({self.state})"


class JobLine(models.Model):
    """One line of live output, redacted by the agent. `number` counts from 1 within the job."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="lines")
    number = models.IntegerField()
    at = models.DateTimeField()
    text = models.CharField(max_length=1024)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="job_line_once")]


class ReportEnvelope(models.Model):
    """A report as it was posted: verified, not yet ingested. Deleted by ingestion; a duplicate is never stored."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="inbox")
    epoch = models.CharField(max_length=32)
    seq = models.BigIntegerField()
    payload = models.BinaryField()
    envelope = models.BinaryField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "epoch", "seq"], name="report_once")]


class ReportSeen(models.Model):
    """How far the reports of one agent's epoch were stored: all up to `contiguous_seq`, and `later` beyond a gap.

    `digests`: of the last reports, as apps.jobs.services.doubles keeps them. `began_*`: the agent's own clocks at the
    first report of the epoch, None and "" where that one could not be read.
    """

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="seen")
    epoch = models.CharField(max_length=32)
    contiguous_seq = models.BigIntegerField(default=0)
    later = models.JSONField(default=list)
    digests = models.BinaryField(default=bytes)
    began_at = models.BigIntegerField(null=True)
    began_monotonic_ms = models.BigIntegerField(null=True)
    began_boot_id = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "epoch"], name="report_seen_once")]


class SignedBeacon(models.Model):
    """The newest signed time with the withdrawn orders, written by the signer alone; one row.

    `authority`: the envelopes by which each of the last authority keys named the next one, the oldest first.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    envelope = models.TextField()
    authority = models.JSONField(default=list)
    signed_at = models.DateTimeField()


class SignedObligations(models.Model):
    """What the hosts of one agent have lost and not confirmed, written by the signer alone.

    `content_sha256`: of what it says without its time; it is signed anew only when that changes.
    """

    agent = models.OneToOneField(Agent, primary_key=True, on_delete=models.PROTECT, related_name="signed_obligations")
    envelope = models.TextField()
    content_sha256 = models.CharField(max_length=64)
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"obligations of {self.agent_id}"
