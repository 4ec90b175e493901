"""Who may speak for which host, and what hosts say they are."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from apps.base.errors import InvalidInput, NotAllowed, NotFound
from apps.fleet.agents import revoke_agent
from apps.fleet.errors import AgentExists, KeyInUse
from apps.fleet.models import Agent, Host, HostIdentity
from apps.fleet.selectors import deployment_uuid, hosts_visible_to, hosts_with_silence, is_silent, silent_hosts
from apps.fleet.services import (
    IDENTITY_SEEN_EVERY,
    HostName,
    assign_host,
    end_maintenance,
    record_host_facts,
    retire_host,
    start_maintenance,
    trust_agent,
)
from apps.history.models import Event
from kernelzone.envelope import raw_public_key
from kernelzone.facts import HostFacts
from kernelzone.words import HostId

pytestmark = pytest.mark.django_db

BOOT_ENVIRONMENT = UUID("5df1a1d1-6a4a-4c4f-8a79-000000000001")


def _key() -> str:
    return raw_public_key(Ed25519PrivateKey.generate()).hex()


def _trust(*hosts: str, **fields):
    values = {"uuid": uuid4(), "key_hex": _key(), "name": "east", "hosts": [HostName(host) for host in hosts]}
    return trust_agent(**values | fields)


def _types() -> list[str]:
    return [event.type for event in Event.objects.order_by("seq")]


def test_an_agent_is_trusted_for_its_hosts_and_the_history_says_so():
    agent = _trust("848611d4", "848611d5")
    assert [host.owner_hostid for host in agent.hosts.order_by("owner_hostid")] == ["848611d4", "848611d5"]
    assert _types() == ["agent.trust", "host.assign", "host.assign"]


def test_to_trust_again_changes_nothing():
    key, uuid = _key(), uuid4()
    _trust("848611d4", uuid=uuid, key_hex=key)
    _trust("848611d4", uuid=uuid, key_hex=key.upper())
    assert (Agent.objects.count(), _types()) == (1, ["agent.trust", "host.assign"])


def test_a_key_belongs_to_one_agent():
    key = _key()
    _trust("848611d4", key_hex=key)
    with pytest.raises(KeyInUse):
        _trust("848611d5", key_hex=key)
    assert (Agent.objects.count(), Host.objects.count()) == (1, 1)


def test_an_agent_does_not_change_its_key_by_being_trusted_again():
    uuid = uuid4()
    _trust(uuid=uuid)
    with pytest.raises(AgentExists):
        _trust(uuid=uuid)


def test_a_host_with_a_live_agent_is_given_to_no_other_until_that_one_is_revoked():
    first = _trust("848611d4")
    with pytest.raises(AgentExists) as refused:
        _trust("848611d5", "848611d4")
    assert refused.value.facts == {"owner_hostid": "848611d4", "agent": str(first.pk)}
    assert (Agent.objects.count(), Host.objects.count()) == (1, 1)

    revoke_agent(first.pk)
    second = _trust("848611d4")
    assert Host.objects.get().agent_id == second.pk


def test_a_revoked_agent_is_not_trusted_by_being_named_again():
    key, uuid = _key(), uuid4()
    _trust(uuid=uuid, key_hex=key)
    revoke_agent(uuid)
    with pytest.raises(AgentExists):
        _trust(uuid=uuid, key_hex=key)
    assert Agent.objects.get().state == "revoked"


@pytest.mark.parametrize("key", ["", "ab", "zz" * 32, "00" * 32, "01" + "00" * 31, "ff" * 32, "ab" * 33])
def test_a_key_that_proves_nothing_is_refused(key):
    with pytest.raises(InvalidInput) as refused:
        _trust(key_hex=key)
    assert refused.value.stable_code == "public_key"
    assert Agent.objects.count() == 0


@pytest.mark.parametrize("hostid", ["0x848611d4", "848611d", "848611d44", "00000000", "", "global2", "848611g4"])
def test_a_hostid_that_is_none_is_refused_and_nothing_is_kept(hostid):
    with pytest.raises(InvalidInput) as refused:
        _trust("848611d4", hostid)
    assert refused.value.stable_code == "hostid"
    assert (Agent.objects.count(), Host.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_the_command_trusts_and_refuses_with_one_sentence():
    key, uuid = _key(), str(uuid4())
    out = StringIO()
    call = ("trust_agent", "--uuid", uuid, "--public-key", key, "--name", "east", "--host", "848611D4:global2:east:r1")
    call_command(*call, stdout=out)
    host = Host.objects.get()
    assert (host.owner_hostid, host.hostname, host.site, host.rack) == ("848611d4", "global2", "east", "r1")
    assert str(deployment_uuid()) in out.getvalue()

    with pytest.raises(CommandError, match="another agent has this public key"):
        call_command("trust_agent", "--uuid", str(uuid4()), "--public-key", key, "--name", "west")
    with pytest.raises(CommandError, match="lower case"):
        call_command("trust_agent", "--uuid", "{1}", "--public-key", key, "--name", "west")


def test_the_deployment_is_named_once():
    out = StringIO()
    call_command("deployment", stdout=out)
    assert UUID(out.getvalue().strip()) == deployment_uuid() == deployment_uuid()


def test_a_host_goes_over_to_another_agent_by_name_only_when_its_own_is_gone():
    first, second = _trust("848611d4"), _trust()
    with pytest.raises(AgentExists):
        assign_host(second.pk, HostName("848611d4"))
    revoke_agent(first.pk)
    assert assign_host(second.pk, HostName("848611d4")).agent_id == second.pk
    with pytest.raises(NotFound):
        assign_host(first.pk, HostName("848611d4"))


def _facts(hostname="global2", boot_id="boot-1"):
    now = int(time.time())
    return HostFacts(HostId("848611d4"), hostname, "solaris", BOOT_ENVIRONMENT, "11.4", boot_id, now)


def _seen(host, facts, now=None):
    with transaction.atomic():
        record_host_facts([(host, facts)], now=now or timezone.now())


def test_a_host_is_what_it_says_and_each_of_its_names_is_kept():
    _trust("848611d4")
    host = Host.objects.get()
    now = timezone.now()
    _seen(host, _facts(), now)
    _seen(host, _facts("renamed"), now + timedelta(minutes=1))
    _seen(host, _facts(), now + timedelta(minutes=2))
    host.refresh_from_db()
    assert (host.hostname, host.release, host.boot_id) == ("global2", "11.4", "boot-1")
    assert sorted(HostIdentity.objects.values_list("hostname", flat=True)) == ["global2", "renamed"]
    assert _types().count("host.identity-changed") == 1


def test_maintenance_on_the_host_itself_is_kept_as_printable_text_and_ends_with_it():
    _trust("848611d4")
    host = Host.objects.get()
    for said, kept in (("new firm\x1b[31mware" + "!" * 300, "new firm?[31mware" + "!" * 238), (None, "")):
        _seen(host, replace(_facts(), maintenance=said))
        host.refresh_from_db()
        assert host.maintenance_on_host == kept
    assert host.maintenance_since is None


def test_a_known_identity_costs_no_write_until_an_hour_is_over(django_assert_num_queries):
    _trust("848611d4")
    host = Host.objects.get()
    now = timezone.now()
    _seen(host, _facts(), now)
    with transaction.atomic(), django_assert_num_queries(2):
        record_host_facts([(host, _facts())], now=now + timedelta(minutes=59))
    later = now + IDENTITY_SEEN_EVERY + timedelta(seconds=1)
    _seen(host, _facts(), later)
    assert HostIdentity.objects.get().last_seen_at == later


def test_silence_is_for_a_time_and_is_not_down(settings, vera):
    settings.HOST_SILENT_AFTER_S = 150
    _trust("848611d4", "848611d5")
    now = timezone.now()
    Host.objects.filter(owner_hostid="848611d4").update(last_heard_at=now - timedelta(seconds=149))
    assert [host.owner_hostid for host in silent_hosts(now)] == ["848611d5"]
    assert [host.owner_hostid for host in silent_hosts(now + timedelta(seconds=2))] == ["848611d4", "848611d5"]
    found = {host.owner_hostid: (host.is_silent, is_silent(host, now)) for host in hosts_with_silence(vera, now)}
    assert found == {"848611d4": (False, False), "848611d5": (True, True)}


def test_maintenance_begins_and_ends_once(olga, vera):
    _trust("848611d4")
    assert start_maintenance("848611d4", actor=olga).maintenance_since is not None
    start_maintenance("848611d4", actor=olga)
    assert end_maintenance("848611d4", actor=olga).maintenance_since is None
    assert [name for name in _types() if "maintenance" in name] == ["host.start-maintenance", "host.end-maintenance"]
    with pytest.raises(NotAllowed):
        start_maintenance("848611d4", actor=vera)


def test_a_host_nobody_may_see_is_answered_as_one_that_is_not_there(ivo):
    _trust("848611d4")
    for owner_hostid in ("848611d4", "11111111"):
        with pytest.raises(NotFound):
            start_maintenance(owner_hostid, actor=ivo)


def test_a_retired_host_is_shown_no_more_and_comes_back_with_its_agent(ines):
    agent = _trust("848611d4")
    retire_host("848611d4", actor=ines)
    assert hosts_visible_to(ines).count() == 0
    assign_host(agent.pk, HostName("848611d4"))
    assert hosts_visible_to(ines).count() == 1
