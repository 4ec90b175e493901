"""Hosts with an agent that signs, and jobs in any state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from signing_agent import SigningAgent

from apps.fleet.models import Host
from apps.fleet.selectors import deployment_uuid
from apps.fleet.services import HostName, trust_agent
from apps.jobs.models import Job
from apps.jobs.services import insert_job


@pytest.fixture
def signing_agent(db: None) -> SigningAgent:
    """An agent the site trusts for the hosts 848611d4 (global2) and 848611d5 (global1)."""
    agent = SigningAgent(deployment_uuid())
    hosts = [HostName("848611d4", "global2", "east"), HostName("848611d5", "global1", "east")]
    trust_agent(uuid=agent.uuid, key_hex=agent.key_hex, name="east", hosts=hosts)
    return agent


@pytest.fixture
def host(signing_agent: SigningAgent) -> Any:
    """The host 848611d4."""
    return Host.objects.select_related("agent").get(owner_hostid="848611d4")


@pytest.fixture
def make_job(host: Any) -> Callable[..., Any]:
    """Return a function (state="sent", **fields) that gives a job in that state; by default an asked-for boot."""

    def make(state: str = "sent", **fields: Any) -> Any:
        wanted = {"key": str(uuid4()), "kind": "boot", "host": host, "zone_name": "kzone1", "subject_kind": "zone"}
        with transaction.atomic():
            job = insert_job(**{**wanted, "subject_id": "1", **fields})
        if state != "new":
            out = state not in ("signed",)
            Job.objects.filter(pk=job.pk).update(
                state=state,
                envelope=b"{}",
                sent_count=int(out),
                send_again_at=timezone.now() + timedelta(seconds=5) if out else None,
            )
        return Job.objects.select_related("host", "agent").get(pk=job.pk)

    return make
