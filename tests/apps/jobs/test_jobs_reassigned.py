"""A host that another agent speaks for now: what the former one says of it changes nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_agent import Fleet

from apps.fleet.models import Host
from apps.fleet.services import HostName, trust_agent
from apps.history.models import Event
from apps.jobs.models import Job
from apps.jobs.services import inspect_now
from kernelzone import envelope


@pytest.mark.django_db
def test_the_former_agent_of_a_host_is_not_believed_about_it(olga: Any) -> None:
    """It was asked while it spoke for the host, and answers, with a lie, when it does not any more."""
    fleet = Fleet()
    fleet.begin()
    job = inspect_now("83a0cc71", actor=olga)
    fleet.sign()
    Host.objects.filter(owner_hostid="83a0cc71").update(agent=None)
    key = envelope.raw_public_key(Ed25519PrivateKey.generate()).hex()
    trust_agent(uuid=uuid4(), key_hex=key, name="west", hosts=[HostName("83a0cc71")])
    fleet.global1.hostname = "elsewhere"
    fleet.deliver()
    fleet.take_in()
    assert Event.objects.get(type="report.put-aside").record["data"]["code"] == "RESULT_AGENT"
    assert Host.objects.get(owner_hostid="83a0cc71").hostname == "global1"
    assert Job.objects.get(pk=job.pk).state == "signed"
