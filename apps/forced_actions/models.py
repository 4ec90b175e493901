"""Forced actions: what nobody does alone. Policies, requests, approvals, warrants."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.base.ids import uuid7
from apps.conflicts.models import Conflict, EvidenceSheet
from apps.fleet.models import Host
from apps.forced_actions.workflow import OPEN, State
from apps.zones.models import Zone


class Policy(models.Model):
    """One version of one policy; never changed. Its numbers are copied onto every request made under it.

    `approvals_needed`: people besides the requester, at least 1. The `_s` fields are seconds: how old the reading may
    be at the act, how long people have to approve, how long boot storage must be quiet.
    """

    name = models.CharField(max_length=64)
    version = models.IntegerField()
    approvals_needed = models.IntegerField(default=2)
    max_reading_age_s = models.IntegerField(default=1800)
    time_to_approve_s = models.IntegerField(default=4 * 3600)
    quiet_window_s = models.IntegerField(default=60)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="policy_version_once"),
            models.CheckConstraint(condition=models.Q(approvals_needed__gte=1), name="policy_quorum_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, version {self.version}"


class ForcedAction(models.Model):
    """One request to force one zone, and all that became of it.

    `version` counts changes and is the ETag. `sheet` is what was frozen when it was made, `release_sheet` what was
    found right before signing; `evidence_sha256` is the digest people approve. `job_id` is the order that carries it
    out (the last one issued). `why`: a stable code for how it ended, `why_text` the sentence; `difference` what had
    changed when it was voided.
    """

    class Kind(models.TextChoices):
        FORCE_TAKEOVER = "force-takeover"
        INITIALIZE_HOSTDATA = "initialize-hostdata"

    id = models.UUIDField(primary_key=True, default=uuid7)
    kind = models.CharField(max_length=32, choices=Kind)
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="forced_actions")
    target = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="forced_actions")
    conflict = models.ForeignKey(Conflict, null=True, on_delete=models.PROTECT, related_name="forced_actions")
    loser_hostid = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    version = models.IntegerField(default=1)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    reason = models.TextField()
    ticket = models.CharField(max_length=64, blank=True)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="+")
    approvals_needed = models.IntegerField()
    max_reading_age_s = models.IntegerField()
    quiet_window_s = models.IntegerField()
    expires_at = models.DateTimeField()
    sheet = models.ForeignKey(EvidenceSheet, null=True, on_delete=models.PROTECT, related_name="+")
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    release_sheet = models.ForeignKey(EvidenceSheet, null=True, on_delete=models.PROTECT, related_name="+")
    issued = models.IntegerField(default=0)
    job_id = models.UUIDField(null=True)
    why = models.CharField(max_length=64, blank=True)
    why_text = models.CharField(max_length=1000, blank=True)
    # who said no; while it executes that is a veto, which the agent may get too late
    vetoed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    vetoed_at = models.DateTimeField(null=True)
    difference = models.JSONField(default=list)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="forced_action_state_known"),
            models.CheckConstraint(condition=models.Q(approvals_needed__gte=1), name="forced_action_quorum_positive"),
            models.UniqueConstraint(
                fields=["zone"], condition=models.Q(state__in=sorted(OPEN)), name="forced_action_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.zone} ({self.state})"


class Approval(models.Model):
    """One person's yes or no to one forced action on one evidence digest. Never changed.

    `person_id` is the person behind the account: two accounts of one person count once. `event_seq`: its event.
    """

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        DENY = "deny"

    forced_action = models.ForeignKey(ForcedAction, on_delete=models.PROTECT, related_name="approvals")
    verdict = models.CharField(max_length=16, choices=Verdict)
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_id = models.UUIDField()
    evidence_sha256 = models.CharField(max_length=64)
    comment = models.CharField(max_length=1000, blank=True)
    second_factor = models.CharField(max_length=16)
    made_at = models.DateTimeField()
    event_seq = models.BigIntegerField()

    class Meta:
        ordering = ["made_at"]
        constraints = [
            models.UniqueConstraint(fields=["forced_action", "person_id"], name="approval_once_per_person"),
        ]


class Warrant(models.Model):
    """The signed order that lets one agent run one forced action once; `attempt` counts re-issues from 0.

    The same bytes are handed out again after a crash between signing and commit: (forced action, attempt) is unique.
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    forced_action = models.ForeignKey(ForcedAction, on_delete=models.PROTECT, related_name="warrants")
    attempt = models.IntegerField()
    job_id = models.UUIDField(unique=True)
    payload_sha256 = models.CharField(max_length=64, blank=True)
    signed_at = models.DateTimeField(null=True)
    not_after = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["forced_action", "attempt"], name="warrant_attempt_once"),
            models.CheckConstraint(condition=models.Q(attempt__gte=0, attempt__lte=2), name="warrant_attempt_bounded"),
        ]


class Comment(models.Model):
    """Plain text somebody added to a forced action, at most 4 KiB."""

    forced_action = models.ForeignKey(ForcedAction, on_delete=models.PROTECT, related_name="comments")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    text = models.TextField()
