"""From reports to zones, placements, readings, verdicts and the timeline, through the real ingestion."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from fake_agent import FakeHost, FakeStorage, Fleet

from apps.fleet.models import Host
from apps.fleet.services import HostName, trust_agent
from apps.history.models import Event
from apps.zones.identity import storage_identity
from apps.zones.models import BootStorage, OwnershipInterval, Placement, Reading, Sighting, Zone
from apps.zones.services import take_probes
from kernelzone.facts import BootDevice, PlacementFacts, ReadingFacts, RegionStatus
from kernelzone.orders import REPORT_TYPE, InspectResult
from kernelzone.words import HostId, ZoneName

KZONE1 = "kzone1"


def say(fleet: Fleet, host: FakeHost, change: Callable[[InspectResult], InspectResult] = lambda it: it) -> None:
    """The host reports its whole state, as `change` makes of it, and it is taken in."""
    fleet.agent._say(None, HostId(host.owner_hostid), "done", "DONE", change(host.inspection()))
    fleet.take_in()


def events(kind: str) -> list[dict[str, Any]]:
    return [event.record["data"] for event in Event.objects.filter(type=kind).order_by("seq")]


def zone(name: str = KZONE1) -> Zone:
    return Zone.objects.get(name=name)


def with_readings(*changed: ReadingFacts) -> Callable[[InspectResult], InspectResult]:
    return lambda it: dataclasses.replace(it, readings=changed)


def each_reading(**fields: Any) -> Callable[[InspectResult], InspectResult]:
    def change(it: InspectResult) -> InspectResult:
        return dataclasses.replace(it, readings=tuple(dataclasses.replace(one, **fields) for one in it.readings))

    return change


def each_placement(**fields: Any) -> Callable[[InspectResult], InspectResult]:
    def change(it: InspectResult) -> InspectResult:
        return dataclasses.replace(it, placements=tuple(dataclasses.replace(one, **fields) for one in it.placements))

    return change


# --- which zone it is ----------------------------------------------------------------------------------------


def test_two_hosts_that_name_one_boot_storage_configure_one_zone(fleet: Fleet) -> None:
    fleet.say_states()

    assert set(zone().placements.values_list("host__owner_hostid", flat=True)) == {"83a0cc71", "848611d4"}
    assert zone().zone_uuid == fleet.kzone1.uuid
    assert zone().boot_storages.count() == 1


@pytest.mark.parametrize(
    ("uri", "ids", "identity"),
    [
        ("iscsi://storage/luname.naa.600144f0", ("naa.600144F0",), "naa.600144f0"),
        (
            "iscsi://storage/target.iqn.2026-01.org.example:a,lun.0",
            (),
            "iscsi://storage/target.iqn.2026-01.org.example:a,lun.0",
        ),
        ("nfs://storage/export/kzone1", (), "nfs://storage/export/kzone1"),
        ("dev:dsk/c0t0d0", (), "83a0cc71 dev:dsk/c0t0d0"),
        ("file:///zones/kzone1", (), "83a0cc71 file:///zones/kzone1"),
        ("no uri at all", (), "83a0cc71 no uri at all"),
    ],
)
def test_a_local_path_means_another_device_on_every_host(uri: str, ids: tuple[str, ...], identity: str) -> None:
    assert storage_identity(uri, ids, "83a0cc71") == identity
    assert (storage_identity(uri, ids, "848611d4") == identity) is not identity.startswith("83a0cc71")


def test_a_mirrored_zone_is_one_zone_with_two_boot_storages(fleet: Fleet) -> None:
    second = BootDevice("lu:luname.naa.600144f0ffff", ("naa.600144f0ffff",), 1, 1)

    def mirrored(it: InspectResult) -> InspectResult:
        (placement,), (reading,) = it.placements, it.readings
        other = dataclasses.replace(
            reading, nonce=secrets.token_hex(16), device=second.uri, device_ids=second.device_ids
        )
        both = (*placement.boot_storage, second)
        return dataclasses.replace(
            it, placements=(dataclasses.replace(placement, boot_storage=both),), readings=(reading, other)
        )

    say(fleet, fleet.global2, mirrored)

    assert zone().boot_storages.count() == 2
    assert (zone().verdict, zone().readings.count()) == ("ours", 2)


def test_a_mirror_that_is_another_zones_copy_contradicts_nothing_and_is_not_taken_for_this_zone(fleet: Fleet) -> None:
    fleet.say_states()
    web = Zone.objects.get(name="kz-web01")
    stolen = web.boot_storages.get()
    copy = BootDevice(stolen.uri, tuple(stolen.device_ids), 1, 1)
    say(
        fleet,
        fleet.global1,
        lambda it: dataclasses.replace(
            it,
            placements=(dataclasses.replace(it.placements[0], boot_storage=(*it.placements[0].boot_storage, copy)),),
        ),
    )

    assert BootStorage.objects.get(pk=stolen.pk).zone == web
    assert Placement.objects.get(host__hostname="global1", gone_at=None).zone == zone()


def test_where_a_zone_would_be_evacuated_to_is_kept_with_its_placement(fleet: Fleet) -> None:
    say(fleet, fleet.global2, each_placement(evacuation_target="ssh://global1"))
    assert {row.evacuation_target for row in Placement.objects.filter(host__hostname="global2")} == {"ssh://global1"}

    say(fleet, fleet.global2, each_placement(evacuation_target=None))
    assert {row.evacuation_target for row in Placement.objects.filter(host__hostname="global2")} == {""}


def test_a_uuid_that_no_key_verified_names_no_zone(fleet: Fleet) -> None:
    fleet.kzone1.cannot_open = {fleet.global1.owner_hostid}
    forged = each_reading(zone_uuid=uuid4())
    say(fleet, fleet.global1, forged)

    assert zone().zone_uuid is None
    say(fleet, fleet.global2)
    assert zone().zone_uuid == fleet.kzone1.uuid


def test_whoever_cannot_read_host_data_does_not_hide_who_can(fleet: Fleet) -> None:
    """Both in one batch, the one without the key last: the uuid is the other's."""
    fleet.kzone1.cannot_open = {fleet.global1.owner_hostid}
    for host in (fleet.global2, fleet.global1):
        fleet.agent.say_state(host)
    fleet.take_in()

    assert zone().zone_uuid == fleet.kzone1.uuid


def test_boot_storage_used_for_a_new_zone_is_a_new_zone_and_the_old_one_is_shown_no_more(fleet: Fleet) -> None:
    say(fleet, fleet.global2)
    old = zone()
    fleet.kzone1.uuid = uuid4()
    say(fleet, fleet.global2)

    new = Zone.objects.get(zone_uuid=fleet.kzone1.uuid)
    old.refresh_from_db()
    assert new.pk != old.pk
    assert BootStorage.objects.get().zone == new
    assert Placement.objects.get(gone_at=None).zone == new
    assert (new.verdict, new.retired_at, old.retired_at is None) == ("ours", None, False)
    assert [one["zone_uuid"] for one in events("zone.storage-moved")] == [str(new.zone_uuid)]
    assert old.readings.count() == 1


def test_host_data_initialised_anew_is_of_the_same_zone(fleet: Fleet) -> None:
    say(fleet, fleet.global2)
    old = zone()
    fleet.kzone1.uuid, fleet.kzone1.flags = uuid4(), ("initialised",)
    say(fleet, fleet.global2)

    assert (zone().pk, zone().zone_uuid) == (old.pk, fleet.kzone1.uuid)


def test_a_uuid_that_two_zones_turn_out_to_have_stops_nothing(fleet: Fleet) -> None:
    """Unreadable boot storage got a zone of its own; then its key comes, and it was the other zone's mirror."""
    mirror = FakeStorage("mirror", fleet.global1, uuid=fleet.kzone1.uuid)
    mirror.cannot_open = {fleet.global1.owner_hostid}
    fleet.global1.zones.clear()
    fleet.global1.put(mirror, "installed")
    fleet.say_states()
    assert zone("mirror").zone_uuid is None
    mirror.cannot_open = set()
    say(fleet, fleet.global1)

    assert Zone.objects.get(zone_uuid=fleet.kzone1.uuid).boot_storages.count() == 2
    assert not events("report.put-aside")


def test_a_zone_is_renamed_when_no_host_calls_it_so_any_more(fleet: Fleet) -> None:
    fleet.say_states()

    def renamed(it: InspectResult) -> InspectResult:
        return each_reading(zone=ZoneName("web"))(each_placement(zone=ZoneName("web"))(it))

    say(fleet, fleet.global2, renamed)
    assert Zone.objects.filter(name=KZONE1).exists()
    say(fleet, fleet.global1, renamed)

    assert zone("web").zone_uuid == fleet.kzone1.uuid
    assert events("zone.renamed") == [{"from": KZONE1, "to": "web"}]


# --- what a host is believed about ---------------------------------------------------------------------------


def test_a_host_is_not_believed_about_boot_storage_it_does_not_configure(fleet: Fleet) -> None:
    fleet.say_states()
    free = FakeStorage(KZONE1, fleet.global3, uuid=fleet.kzone1.uuid, generation=99, state="free")
    for named in ("kz-web01", "nothing-of-mine"):
        reading = dataclasses.replace(free.reading(fleet.global3), zone=ZoneName(named))
        say(fleet, fleet.global3, with_readings(reading))

    assert (zone().verdict, zone().owner_hostid, zone().high_water) == ("ours", "848611d4", 7)
    assert [one["code"] for one in events("reading.put-aside")] == ["NOT_CONFIGURED"] * 2
    assert Host.objects.get(hostname="global3").inspected_at is not None


def test_a_nonce_used_twice_costs_that_reading_and_nothing_else(fleet: Fleet) -> None:
    say(fleet, fleet.global2)
    nonce = Reading.objects.get().nonce
    for host in (fleet.global1, fleet.global3):
        fleet.agent._say(None, HostId(host.owner_hostid), "done", "DONE", each_reading(nonce=nonce)(host.inspection()))
    fleet.agent.say_state(fleet.global2)
    fleet.take_in()

    assert Reading.objects.count() == 1
    assert Placement.objects.filter(gone_at=None).count() == 3
    assert [one["code"] for one in events("reading.put-aside")] == ["NONCE_REPEATED"] * 2
    assert not events("report.put-aside")


def test_one_nonce_twice_in_a_batch_is_the_first_ones(fleet: Fleet) -> None:
    for host in fleet.hosts:
        fleet.agent._say(
            None, HostId(host.owner_hostid), "done", "DONE", each_reading(nonce="5" * 32)(host.inspection())
        )
    fleet.take_in()

    assert Reading.objects.get().host.hostname == "global1"
    assert len(events("reading.put-aside")) == 2


def test_a_reading_said_again_word_for_word_is_no_fault(fleet: Fleet) -> None:
    same = fleet.kzone1.reading(fleet.global2)
    say(fleet, fleet.global2, with_readings(same))
    fleet.kzone1.change()
    say(fleet, fleet.global2)
    say(fleet, fleet.global2, with_readings(same))

    assert (Reading.objects.count(), Sighting.objects.get().reading.generation) == (2, 8)
    assert not events("reading.put-aside")


@pytest.mark.parametrize(
    ("fields", "code"), [({"nonce": "x" * 40}, "NONCE"), ({"nonce": ""}, "NONCE"), ({"at": 2**52}, "TIME")]
)
def test_a_reading_that_cannot_be_kept_does_not_take_its_report_with_it(
    fleet: Fleet, fields: dict[str, Any], code: str
) -> None:
    say(fleet, fleet.global2, each_reading(**fields))

    assert [one["code"] for one in events("reading.put-aside")] == [code]
    assert Placement.objects.get().name == KZONE1


def _ready(placement: PlacementFacts) -> PlacementFacts:
    return dataclasses.replace(placement, state="ready")


def test_a_placement_named_twice_is_the_last_one(fleet: Fleet) -> None:
    def twice(it: InspectResult) -> InspectResult:
        return dataclasses.replace(
            it, placements=(*it.placements, dataclasses.replace(it.placements[0], state="ready"))
        )

    say(fleet, fleet.global2, twice)

    assert Placement.objects.get().state == "ready"


def test_a_probes_reading_needs_a_placement_the_site_knows(fleet: Fleet) -> None:
    from apps.jobs.results import TakenResult  # noqa: PLC0415
    from kernelzone import envelope as dsse  # noqa: PLC0415
    from kernelzone.orders import ProbeResult, read_report  # noqa: PLC0415

    fleet.say_states()
    host = Host.objects.select_related("agent").get(hostname="global1")
    fleet.kzone1.change()
    for owner, count in ((fleet.global3, 0), (fleet.global1, 1)):
        spoken = Host.objects.select_related("agent").get(owner_hostid=owner.owner_hostid)
        result = ProbeResult(1, (), 0, (fleet.kzone1.reading(owner),))
        fleet.agent._say(None, HostId(owner.owner_hostid), "done", "DONE", owner.inspection())
        payload = dsse.verify(
            fleet.agent.outbox.pop().encode(),
            payload_type=REPORT_TYPE,
            keys=[dsse.raw_public_key(fleet.agent.key)],
            max_payload_bytes=8 * 1024 * 1024,
        ).payload
        with transaction.atomic():
            take_probes([TakenResult(None, read_report(payload), result, spoken, host.agent)])
        assert Reading.objects.filter(generation=8).count() == count


# --- what is kept --------------------------------------------------------------------------------------------


def test_a_reading_that_says_nothing_new_confirms_the_last_one(fleet: Fleet, later: Any) -> None:
    fleet.say_states()
    before = {row.pk: row.confirmed_at for row in Sighting.objects.all()}
    later(seconds=60)
    fleet.say_states()

    assert Reading.objects.count() == 3
    assert all(row.confirmed_at > before[row.pk] for row in Sighting.objects.all())


def test_a_host_that_is_as_it_was_confirms_no_reading_that_it_could_not_make_again(fleet: Fleet, later: Any) -> None:
    fleet.say_states()
    made = Sighting.objects.get(host__owner_hostid="848611d4").confirmed_at
    unread = dataclasses.replace(fleet.global2.inspection(), readings=())
    for _ in range(3):  # from the second time on nothing is new
        later(seconds=10)
        fleet.agent._say(None, HostId("848611d4"), "done", "DONE", unread)
        fleet.agent.say_state(fleet.global3)
        fleet.take_in()

    assert Sighting.objects.get(host__owner_hostid="848611d4").confirmed_at == made
    assert Sighting.objects.get(host__owner_hostid="84a1b2c3").confirmed_at > made


def test_a_reading_that_comes_late_is_kept_and_is_not_the_present(fleet: Fleet) -> None:
    first = fleet.global2.inspection()
    fleet.agent.seq = 9
    fleet.agent._say(None, HostId("848611d4"), "done", "DONE", first)
    late = fleet.agent.outbox.pop()
    fleet.agent.seq = 19
    fleet.kzone1.change()
    fleet.agent._say(None, HostId("848611d4"), "done", "DONE", fleet.global2.inspection())
    newer = fleet.agent.outbox.pop()
    from apps.fleet.models import Agent  # noqa: PLC0415
    from apps.jobs.models import ReportEnvelope  # noqa: PLC0415
    from apps.jobs.services.inbox import open_posted, store_reports  # noqa: PLC0415

    for text in (newer, late):
        agent = Agent.objects.get()
        store_reports(agent, [open_posted(agent, text.encode())])
        ReportEnvelope.objects.update(received_at="2020-01-01T00:00Z")  # the gap is waited for no more
        fleet.take_in()

    assert sorted(Reading.objects.values_list("generation", flat=True)) == [7, 8]
    assert Sighting.objects.get().reading.generation == 8


def test_what_a_host_configures_no_more_is_gone_with_what_it_saw(fleet: Fleet) -> None:
    fleet.say_states()
    fleet.global1.zones.clear()
    say(fleet, fleet.global1)

    assert Placement.objects.get(host__hostname="global1").gone_at is not None
    assert set(Sighting.objects.values_list("host__hostname", flat=True)) == {"global2", "global3"}
    assert zone().retired_at is None


def test_a_change_of_owner_is_an_event_and_a_stretch_of_the_timeline(fleet: Fleet) -> None:
    fleet.say_states()
    fleet.kzone1.owner = fleet.global1
    fleet.kzone1.change()
    fleet.say_states()

    assert [row.owner_hostid for row in OwnershipInterval.objects.filter(zone=zone())] == ["848611d4", "83a0cc71"]
    first, second = OwnershipInterval.objects.filter(zone=zone())
    assert (first.until, second.until) == (second.since, None)
    (change,) = events("zone.owner-changed")
    assert (change["from"], change["to"], change["generation"]) == ("848611d4", "83a0cc71", 8)


def test_only_a_verified_record_raises_the_high_water_mark(fleet: Fleet) -> None:
    forged = {"generation": 2**52, "status": RegionStatus.SPLIT, "record": None, "record_sha256": None}
    say(fleet, fleet.global2)
    say(fleet, fleet.global2, each_reading(**forged))

    assert (zone().high_water, zone().verdict) == (7, "contradictory")
    assert zone().owner_hostid == "848611d4"


# --- the cost follows the change -----------------------------------------------------------------------------


def _grow(fleet: Fleet, hosts: int, zones: int) -> list[FakeHost]:
    new = [FakeHost(f"{number + 1:08x}", f"host{number}") for number in range(hosts)]
    for number, host in enumerate(new):
        for one in range(zones):
            host.put(FakeStorage(f"z{number}-{one}", host), "installed")
    fleet.agent.hosts |= {host.owner_hostid: host for host in new}
    named = [HostName(host.owner_hostid, host.hostname) for host in new]
    trust_agent(uuid=fleet.agent.uuid, key_hex=fleet.agent.key_hex, name="east", hosts=named)
    return new


def _queries(fleet: Fleet, hosts: list[FakeHost]) -> int:
    for host in hosts:
        fleet.agent.say_state(host)
    fleet.agent.post()
    with CaptureQueriesContext(connection) as seen:
        fleet.take_in()
    return len(seen)


def test_a_batch_that_says_nothing_new_costs_as_many_queries_for_many_zones_as_for_few(fleet: Fleet) -> None:
    few = _grow(fleet, 2, 2)
    _queries(fleet, few)
    unchanged = _queries(fleet, few)
    many = _grow(fleet, 4, 50)
    first = _queries(fleet, many)

    assert _queries(fleet, many) == unchanged
    # many rows at once are a few statements each, not one each
    assert first < 100
    assert Reading.objects.count() == 4 + 200


def test_one_changed_zone_costs_the_same_among_few_and_among_many_others(fleet: Fleet) -> None:
    def changed() -> int:
        fleet.kzone1.owner = fleet.global1 if fleet.kzone1.owner is fleet.global2 else fleet.global2
        fleet.kzone1.change()
        return _queries(fleet, [fleet.global1])

    fleet.say_states()
    changed()
    few = changed()
    _queries(fleet, _grow(fleet, 50, 4))
    changed()

    assert changed() == few


def test_more_zones_on_one_host_than_a_statement_takes_values(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.zones.bulk._MOST_VALUES", 7)
    (host,) = _grow(fleet, 1, 30)
    _queries(fleet, [host])
    _queries(fleet, [host])

    assert (Zone.objects.count(), Reading.objects.count(), Sighting.objects.count()) == (30, 30, 30)
