"""Evidence sheets: what each path says, when a sheet is complete, and what its digest is made of."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.base.errors import DomainError
from apps.conflicts.evidence import differences, make_evidence_sheet
from apps.conflicts.models import EvidenceSheet, PersonsWord
from apps.conflicts.services import assert_word, gather_evidence
from apps.fleet.agents import revoke_agent
from apps.fleet.models import Host
from apps.history.models import Event, EventDocument
from apps.jobs.models import Job


@pytest.fixture
def conflict(fleet: Any) -> Any:
    """kzone1 is held by global2, which is dead."""
    return fleet.begin()


@pytest.fixture
def sheet(conflict: Any, olga: Any) -> EvidenceSheet:
    """A sheet that was begun just now."""
    return gather_evidence(conflict.pk, actor=olga, window_s=8)


def words(sheet: EvidenceSheet) -> dict[str, str]:
    sheet.refresh_from_db()
    return {f"{row.probe} {row.source}": row.word for row in sheet.rows.all()}


def test_a_sheet_with_one_silent_host_is_complete_within_thirty_seconds_and_its_window(
    fleet: Any, sheet: Any, later: Any
) -> None:
    fleet.turn()
    assert (sheet.deadline_at - sheet.begun_at).total_seconds() <= 30 + 8 * 1.25
    later(seconds=11)
    fleet.turn()
    assert words(sheet) == {
        "host-data-from-here 83a0cc71": "says-nothing",
        "owners-agent 848611d4": "says-nothing",
        "write-samples 83a0cc71": "suggests-off",
    }
    assert sheet.state == "complete"


def test_the_window_is_lengthened_at_random_by_a_quarter_at_most(conflict: Any, olga: Any) -> None:
    windows = {gather_evidence(conflict.pk, actor=olga, window_s=100).window_s for _ in range(20)}
    assert len(windows) > 1
    assert min(windows) >= 100
    assert max(windows) <= 125


def test_the_digest_is_of_the_canonical_facts_and_the_document_is_in_the_history(
    fleet: Any, sheet: Any, silence_is_over: Any
) -> None:
    silence_is_over()
    sheet.refresh_from_db()
    facts = bytes(sheet.facts)
    assert sheet.facts_sha256 == hashlib.sha256(facts).hexdigest()
    assert bytes(EventDocument.objects.get(pk=sheet.facts_sha256).content) == facts
    read = json.loads(facts)
    region = next(row for row in read["rows"] if row["probe"] == "host-data-from-here")["value"]["regions"][0]
    assert (region["owner_hostid"], region["state"], region["generation"]) == ("848611d4", "installed", 7)
    assert region["raw_sha256"] == fleet.kzone1.raw


def test_two_looks_at_an_unchanged_zone_have_one_digest(
    fleet: Any, sheet: Any, conflict: Any, olga: Any, silence_is_over: Any, later: Any
) -> None:
    """No time, no age, no nonce and no window is in it."""
    silence_is_over()
    later(minutes=7)
    second = gather_evidence(conflict.pk, actor=olga, window_s=20)
    silence_is_over()
    sheet.refresh_from_db()
    second.refresh_from_db()
    assert second.state == "complete"
    assert second.facts_sha256 == sheet.facts_sha256
    assert second.reading.nonce != sheet.reading.nonce
    assert differences(sheet, second) == []


@pytest.mark.parametrize(
    ("state", "autoboot", "word"),
    [
        ("installed", False, "proves-off"),
        ("installed", True, "suggests-off"),
        ("configured", False, "proves-off"),
        ("unavailable", False, "proves-off"),
        ("running", False, "proves-on"),
        ("ready", False, "proves-on"),
        ("shutting_down", False, "proves-on"),
    ],
)
def test_what_the_owners_fresh_report_proves(fleet: Any, sheet: Any, state: str, autoboot: bool, word: str) -> None:
    fleet.global2.is_up = True
    fleet.global2.put(fleet.kzone1, state, autoboot=autoboot)
    fleet.turn()
    assert words(sheet)["owners-agent 848611d4"] == word


def test_an_owner_that_does_not_have_the_zone_any_more_proves_it_off(fleet: Any, sheet: Any) -> None:
    fleet.global2.is_up = True
    del fleet.global2.zones["kzone1"]
    fleet.turn()
    assert words(sheet)["owners-agent 848611d4"] == "proves-off"


def test_every_other_host_that_configures_the_zone_is_asked_and_proves_it_on_but_never_off(
    fleet: Any, conflict: Any, olga: Any
) -> None:
    fleet.global3.put(fleet.kzone1, "configured")
    fleet.agent.say_state(fleet.global3)
    fleet.take_in()
    first = gather_evidence(conflict.pk, actor=olga, window_s=5)
    fleet.turn()
    assert words(first)["owners-agent 84a1b2c3"] == "says-nothing"
    fleet.global3.put(fleet.kzone1, "running")
    second = gather_evidence(conflict.pk, actor=olga, window_s=5)
    fleet.turn()
    assert words(second)["owners-agent 84a1b2c3"] == "proves-on"


def test_an_owner_nobody_speaks_for_is_written_down_as_such(fleet: Any, conflict: Any, olga: Any) -> None:
    Host.objects.filter(owner_hostid="848611d4").update(agent=None)
    sheet = gather_evidence(conflict.pk, actor=olga, window_s=5)
    fleet.turn()
    row = sheet.rows.get(probe="owners-agent")
    assert (row.word, row.sentence) == ("says-nothing", "No agent speaks for global2; nobody could be asked.")


def test_one_changed_block_proves_it_on(fleet: Any, sheet: Any) -> None:
    fleet.kzone1.writer = True
    fleet.turn()
    row = sheet.rows.get(probe="write-samples")
    assert (row.word, row.value) == ("proves-on", {"answered": True, "changed": True})
    assert row.sentence.startswith("3 blocks changed within")


def test_a_target_that_does_not_answer_leaves_a_sheet_that_says_so(fleet: Any, sheet: Any, later: Any) -> None:
    fleet.agent.silent_on.add("probe")
    later(seconds=60)
    fleet.turn()
    assert words(sheet) == dict.fromkeys(words(sheet), "says-nothing")
    assert sheet.reading is None
    assert sheet.state == "complete"


def test_a_late_answer_changes_a_complete_sheet_no_more(fleet: Any, sheet: Any, later: Any) -> None:
    fleet.agent.silent_on.add("probe")
    fleet.turn()
    later(seconds=60)
    fleet.reconcile()
    before = words(sheet)
    assert sheet.state == "complete"
    digest = sheet.facts_sha256
    fleet.agent.silent_on.clear()
    fleet.kzone1.writer = True
    fleet.deliver()
    fleet.take_in()
    fleet.reconcile()
    assert Job.objects.get(kind="probe").state == "done"
    assert words(sheet) == before
    assert sheet.facts_sha256 == digest


def test_a_persons_word_is_asserted_and_never_proves(
    fleet: Any, conflict: Any, ada: Any, olga: Any, silence_is_over: Any
) -> None:
    assert_word(conflict.pk, actor=ada, text="I pulled the plug.", how="I stand in front of the rack.")
    sheet = gather_evidence(conflict.pk, actor=olga, window_s=5)
    silence_is_over()
    row = sheet.rows.get(probe="persons-word")
    assert row.word == "suggests-off"
    assert "Asserted, not proved." in row.sentence
    assert "ada asserts: I pulled the plug." in row.sentence


def test_a_later_sign_of_life_contradicts_the_word_with_an_event(
    fleet: Any, conflict: Any, ada: Any, olga: Any
) -> None:
    assert_word(conflict.pk, actor=ada, text="I pulled the plug.", how="I stand in front of the rack.")
    fleet.reconcile()
    assert PersonsWord.objects.get().contradicted_at is None
    fleet.global2.is_up = True
    fleet.say_states()
    fleet.reconcile()
    assert PersonsWord.objects.get().contradicted_at is not None
    assert Event.objects.filter(type="persons-word.contradict").count() == 1
    sheet = gather_evidence(conflict.pk, actor=olga, window_s=5)
    fleet.turn()
    assert sheet.rows.get(probe="persons-word").word == "says-nothing"


def test_a_sheet_needs_a_host_that_has_the_zone_and_an_agent(fleet: Any, conflict: Any, olga: Any) -> None:
    with pytest.raises(DomainError) as refused:
        make_evidence_sheet(conflict.zone, Host.objects.get(owner_hostid="84a1b2c3"), actor=olga, window_s=5)
    assert refused.value.stable_code == "not_configured_there"
    revoke_agent(fleet.agent.uuid)
    with pytest.raises(DomainError) as refused:
        gather_evidence(conflict.pk, actor=olga)
    assert refused.value.stable_code == "agent_missing"


def test_the_age_of_silence_is_told_in_words_people_use(fleet: Any, sheet: Any, later: Any) -> None:
    Host.objects.filter(owner_hostid="848611d4").update(last_heard_at=timezone.now() - timedelta(days=3))
    later(seconds=60)
    fleet.turn()
    sentence = sheet.rows.get(probe="owners-agent").sentence
    assert sentence == "global2 has not been heard from for 3 d. Its silence proves nothing."
