"""What a takeover leaves its loser to confirm: told by the signer, met by the loser's own agent, and by nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.conflicts.models import Conflict, Obligation
from apps.conflicts.obligations import Loss, open_obligation
from apps.fleet.agents import resume_agent, suspend_agent
from apps.fleet.models import Host
from apps.forced_actions.obligations import sign_obligations
from apps.history.models import Event
from apps.jobs.models import SignedObligations
from kernelzone import envelope
from kernelzone.facts import HeldBack
from kernelzone.ids import uuid7
from kernelzone.obligations import OBLIGATION_TYPE, Obligations, read_obligations
from kernelzone.words import HostId, ZoneName

LOSER, WINNER = "848611d4", "83a0cc71"


@pytest.fixture
def taken(fleet: Any, releasing: Any, silence_is_over: Any) -> Obligation:
    """kzone1 was taken over from global2, which is dead."""
    silence_is_over()
    fleet.turn(3)
    return Obligation.objects.get()


def open_kinds() -> set[str]:
    return set(Conflict.objects.filter(zone__name="kzone1", resolved_at=None).values_list("kind", flat=True))


def events(kind: str) -> list[dict[str, Any]]:
    return [event.record for event in Event.objects.filter(type=kind).order_by("seq")]


def comes_back(fleet: Any, state: str, *, autoboot: bool = False, held: bool = False) -> None:
    """global2 is there again, and its agent reports."""
    fleet.global2.is_up = True
    fleet.global2.put(fleet.kzone1, state, autoboot=autoboot)
    row = Obligation.objects.get()
    one = HeldBack(ZoneName("kzone1"), "obligation", HostId(WINNER), row.pk, state, autoboot)
    fleet.global2.held_back = (one,) if held else ()
    fleet.agent.say_state(fleet.global2)
    fleet.take_in()


def signed(fleet: Any) -> Obligations:
    sign_obligations(fleet.authority)
    text = SignedObligations.objects.get().envelope.encode()
    keys = [envelope.raw_public_key(fleet.authority)]
    return read_obligations(
        envelope.verify(text, payload_type=OBLIGATION_TYPE, keys=keys, max_payload_bytes=10**6).payload
    )


def test_a_takeover_obliges_its_loser_and_the_signer_tells_the_losers_agent(fleet: Any, taken: Obligation) -> None:
    (told,) = signed(fleet).obligations

    assert (taken.owner_hostid, taken.new_owner_hostid, taken.generation) == (LOSER, WINNER, fleet.kzone1.generation)
    assert (told.obligation, told.owner_hostid, told.zone.name) == (taken.pk, LOSER, "kzone1")
    assert (told.zone.uuid, told.generation, told.warrant) == (fleet.kzone1.uuid, taken.generation, taken.order_id)
    assert events("obligation.open")[0]["also"][1] == {"kind": "host", "id": LOSER}
    assert open_kinds() == set(), "a loser that is away is no conflict"
    assert sign_obligations(fleet.authority) == 0, "nothing has changed"


def test_an_agent_that_was_suspended_meanwhile_never_hears_that_nothing_was_lost(
    fleet: Any, taken: Obligation, ines: Any
) -> None:
    before = signed(fleet)
    loser = Host.objects.get(owner_hostid=LOSER).agent
    assert loser is not None
    suspend_agent(loser.pk, actor=ines, reason="A copy of it was heard.")
    assert signed(fleet) == before

    resume_agent(loser.pk, actor=ines, reason="The copy was switched off.")
    assert signed(fleet) == before


def test_an_obligation_that_cannot_be_written_keeps_the_signer_from_nothing_else(
    fleet: Any, taken: Obligation, caplog: pytest.LogCaptureFixture
) -> None:
    Obligation.objects.update(zone_name="no zone's name")
    assert sign_obligations(fleet.authority) == 0
    assert not SignedObligations.objects.exists()
    assert "obligations cannot be signed" in caplog.text

    Obligation.objects.update(zone_name="kzone1")
    assert len(signed(fleet).obligations) == 1


def test_a_loser_that_comes_back_is_a_conflict_until_its_agent_confirms(fleet: Any, taken: Obligation) -> None:
    comes_back(fleet, "installed", autoboot=True)
    assert open_kinds() == {"return-pending"}
    assert len(signed(fleet).obligations) == 1

    comes_back(fleet, "unavailable", held=True)

    taken.refresh_from_db()
    assert taken.met_how == "its agent confirms: unavailable, autoboot off"
    assert open_kinds() == {"stale-configuration"}
    assert events("obligation.meet")[0]["actor"]["kind"] == "agent"
    assert events("zone.held-back")[0]["data"]["state"] == "unavailable"
    assert signed(fleet).obligations == ()


@pytest.mark.parametrize(("state", "autoboot"), [("running", False), ("installed", True), ("unknown", False)])
def test_what_runs_or_may_boot_or_is_not_known_confirms_nothing(
    fleet: Any, taken: Obligation, state: str, autoboot: bool
) -> None:
    comes_back(fleet, state, autoboot=autoboot, held=True)

    taken.refresh_from_db()
    assert taken.met_at is None
    assert "return-pending" in open_kinds()
    assert ("double-run" in open_kinds()) == (state == "running")


def test_another_host_confirms_nothing_for_the_loser(fleet: Any, taken: Obligation) -> None:
    one = HeldBack(ZoneName("kzone1"), "obligation", HostId(WINNER), taken.pk, "not-configured", False)
    fleet.global3.held_back = (one,)
    fleet.agent.say_state(fleet.global3)
    fleet.take_in()

    taken.refresh_from_db()
    assert taken.met_at is None


def test_a_loser_that_owns_the_zone_again_has_nothing_to_confirm(fleet: Any, taken: Obligation) -> None:
    fleet.kzone1.owner, fleet.kzone1.flags = fleet.global2, ()
    fleet.kzone1.change()
    comes_back(fleet, "installed")

    taken.refresh_from_db()
    assert taken.met_how == "it owns the zone again"
    assert "return-pending" not in open_kinds()


def test_a_copy_of_storage_from_before_the_takeover_ends_no_obligation(fleet: Any, taken: Obligation) -> None:
    fleet.kzone1.owner, fleet.kzone1.flags = fleet.global2, ()
    fleet.kzone1.generation = taken.generation - 1
    comes_back(fleet, "installed")

    taken.refresh_from_db()
    assert taken.met_at is None


def test_an_obligation_ends_when_the_loser_takes_the_zone_back_and_the_other_gets_one(
    fleet: Any, taken: Obligation
) -> None:
    back = Loss(taken.zone, WINNER, LOSER, taken.generation + 1, uuid7())

    with transaction.atomic():
        open_obligation(back, timezone.now())
        open_obligation(back._replace(generation=taken.generation + 3), timezone.now())

    taken.refresh_from_db()
    assert taken.met_how == "it owns the zone again"
    (row,) = Obligation.objects.filter(met_at=None)
    assert (row.owner_hostid, row.generation) == (WINNER, taken.generation + 3)


@pytest.mark.parametrize("loser", ["", WINNER])
def test_who_lost_nothing_has_nothing_to_confirm(fleet: Any, taken: Obligation, loser: str) -> None:
    with transaction.atomic():
        assert open_obligation(Loss(taken.zone, loser, WINNER, 9, uuid7()), timezone.now()) is None


def test_an_agent_that_is_not_trusted_any_more_is_told_nothing(fleet: Any, taken: Obligation) -> None:
    assert len(signed(fleet).obligations) == 1
    Host.objects.filter(owner_hostid=LOSER).update(agent=None)

    assert signed(fleet).obligations == ()


def test_the_host_and_the_conflict_show_what_is_not_confirmed(
    fleet: Any, taken: Obligation, vera: Any, client: Client
) -> None:
    comes_back(fleet, "installed", autoboot=True)
    client.force_login(vera)
    conflict = Conflict.objects.get(kind="return-pending")

    host = client.get(f"/hosts/{LOSER}").content.decode()
    page = client.get(f"/conflicts/{conflict.pk}").content.decode()

    for text in (host, page):
        assert "Zones lost by force" in text
        assert "not yet" in text
    assert "global2 has come back after global1 took it, and still has to confirm: installed." in page
    Obligation.objects.update(met_at=timezone.now() - timedelta(hours=1), met_how="its agent confirms: unavailable")
    assert "its agent confirms: unavailable" in client.get(f"/hosts/{LOSER}").content.decode()
