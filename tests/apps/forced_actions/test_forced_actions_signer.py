"""The signer believes the rows, not the web process: what it counts again, what it refuses, what it signs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from apps.accounts.services import retire_role
from apps.conflicts.services import gather_evidence
from apps.fleet.agents import revoke_agent
from apps.fleet.collisions import Claim, note_claims
from apps.fleet.models import Host
from apps.fleet.selectors import deployment_uuid
from apps.forced_actions import signer
from apps.forced_actions.models import Approval, ForcedAction
from apps.forced_actions.warrants import build_warrant
from apps.history.actors import person
from apps.history.models import Event
from apps.history.services import append
from apps.jobs.models import Job, SignedBeacon
from apps.jobs.services import cancel_job, inspect_now
from apps.jobs.services.inserting import insert_job
from apps.jobs.services.inspecting import insert_inspections
from kernelzone import envelope, strict
from kernelzone.orders import (
    BEACON_TYPE,
    MAX_BEACON_BYTES,
    MAX_ORDER_BYTES,
    ORDER_TYPE,
    read_beacon,
    read_order,
)


@pytest.fixture
def issued(fleet: Any, releasing: Any, silence_is_over: Any) -> ForcedAction:
    """A forced action whose order waits for the signer."""
    fleet.reconcile()
    silence_is_over()
    releasing.refresh_from_db()
    assert (releasing.state, releasing.issued) == ("releasing", 1)
    return releasing


def order_of(job: Job, key: Ed25519PrivateKey) -> Any:
    keys = [envelope.raw_public_key(key)]
    found = envelope.verify(
        bytes(job.envelope or b""), payload_type=ORDER_TYPE, keys=keys, max_payload_bytes=MAX_ORDER_BYTES
    )
    return read_order(found.payload)


def build_warrant_of(action: ForcedAction) -> Any:
    """Return the warrant as the rows have it now: whoever edits a row edits the order with it."""
    action = ForcedAction.objects.get(pk=action.pk)
    job = Job.objects.get(pk=action.job_id)
    row = action.warrants.get()
    return strict.write(build_warrant(action, warrant_id=row.pk, attempt=row.attempt, zone_name=job.zone_name))


def refused(fleet: Any, action: ForcedAction) -> tuple[str, str, str]:
    """Return (job's code, action's state, why) after the signer's turn, which must not have signed."""
    fleet.sign()
    job = Job.objects.get(pk=action.job_id)
    action.refresh_from_db()
    assert (job.state, job.envelope) == ("cancelled", None)
    assert not Event.objects.filter(type="forced-action.quorum-reached").exists()
    return job.code, action.state, action.why


def test_the_order_is_signed_once_the_quorum_was_counted_again(fleet: Any, issued: Any, adam: Any, ada: Any) -> None:
    fleet.sign()
    job = Job.objects.get(pk=issued.job_id)
    order = order_of(job, fleet.authority)
    assert (order.kind, order.owner_hostid, order.deployment) == ("force-takeover", "83a0cc71", deployment_uuid())
    assert {one.person for one in order.warrant.approvers} == {adam.person_id, ada.person_id}
    event = Event.objects.get(type="forced-action.quorum-reached").record
    assert event["actor"] == {"id": "signer", "kind": "system", "name": "signer"}
    issued.refresh_from_db()
    assert (issued.state, issued.warrants.get().payload_sha256) == ("executing", job.payload_sha256)


def test_an_approver_who_lost_the_role_does_not_count(fleet: Any, issued: Any, ada: Any) -> None:
    retire_role(ada, "approver")
    assert refused(fleet, issued) == ("QUORUM", "voided", "quorum")
    assert "1 of 2" in issued.why_text


def test_an_approver_whose_account_is_closed_does_not_count(fleet: Any, issued: Any, ada: Any) -> None:
    ada.is_active = False
    ada.save(update_fields=["is_active"])
    assert refused(fleet, issued) == ("QUORUM", "voided", "quorum")


def test_an_approver_whose_role_is_younger_than_the_request_does_not_count(fleet: Any, issued: Any, ada: Any) -> None:
    ada.role_grants.update(granted_at=timezone.now())
    assert refused(fleet, issued) == ("QUORUM", "voided", "quorum")


def test_two_accounts_that_became_one_person_count_once(fleet: Any, issued: Any, adam: Any, ada: Any) -> None:
    ada.person_id = adam.person_id
    ada.save(update_fields=["person_id"])
    assert refused(fleet, issued) == ("QUORUM", "voided", "quorum")


def test_an_approval_by_the_requester_does_not_count(fleet: Any, issued: Any, olga: Any, ada: Any) -> None:
    Approval.objects.filter(approver=ada).update(person_id=olga.person_id)
    assert refused(fleet, issued)[1:] == ("voided", "quorum")


def test_a_row_that_asks_for_fewer_people_than_its_policy_is_not_believed(fleet: Any, issued: Any, ada: Any) -> None:
    Approval.objects.filter(approver=ada).delete()
    ForcedAction.objects.filter(pk=issued.pk).update(approvals_needed=1)
    assert refused(fleet, issued)[1:] == ("voided", "quorum")


def test_approvals_of_other_evidence_do_not_count(fleet: Any, issued: Any) -> None:
    Approval.objects.update(evidence_sha256="f" * 64)
    assert refused(fleet, issued)[1:] == ("voided", "quorum")


def test_a_requester_who_may_not_request_any_more_stops_it(fleet: Any, issued: Any, olga: Any) -> None:
    retire_role(olga, "operator")
    assert refused(fleet, issued) == ("QUORUM", "voided", "quorum")


def test_evidence_that_is_not_what_was_approved_is_refused(fleet: Any, issued: Any) -> None:
    issued.release_sheet.__class__.objects.filter(pk=issued.release_sheet_id).update(facts_sha256="e" * 64)
    assert refused(fleet, issued) == ("CHANGED", "voided", "changed")


def test_a_reading_that_grew_old_before_the_signer_came_is_refused(fleet: Any, issued: Any) -> None:
    issued.release_sheet.reading.__class__.objects.filter(pk=issued.release_sheet.reading_id).update(
        recorded_at=timezone.now() - timedelta(minutes=31)
    )
    assert refused(fleet, issued) == ("STALE_READING", "voided", "stale_reading")


@pytest.mark.parametrize(
    "edit",
    [
        {"quorum": 1},
        {"high_water": 0},
        {"approvers": []},
        {"requester": "019c0000-0000-7000-8000-000000000000"},
        {"evidence_sha256": "f" * 64},
        {"break_glass": True},
    ],
)
def test_a_warrant_that_is_not_what_the_rows_say_is_not_signed(
    fleet: Any, issued: Any, edit: dict[str, object]
) -> None:
    job = Job.objects.get(pk=issued.job_id)
    Job.objects.filter(pk=job.pk).update(warrant={**job.warrant, **edit})
    assert refused(fleet, issued) == ("FIELD", "voided", "field")


def test_an_approval_that_was_written_into_the_database_does_not_count(
    fleet: Any, issued: Any, ada: Any, make_person: Any
) -> None:
    """A web process that lies in rows alone: the second yes has no event, or borrows another's."""
    eve = make_person("eve", "approver")
    eve.role_grants.update(granted_at=issued.requested_at - timedelta(days=1))
    hers = Approval.objects.get(approver=ada)
    hers.delete()
    hers.pk, hers.approver, hers.person_id = None, eve, eve.person_id
    hers.save(force_insert=True)
    job, warrant = Job.objects.get(pk=issued.job_id), build_warrant_of(issued)
    Job.objects.filter(pk=job.pk).update(warrant=warrant)
    assert refused(fleet, issued) == ("QUORUM", "voided", "quorum")


@pytest.mark.parametrize(
    "edit", [{"reason": "Another reason than the one that was approved."}, {"loser_hostid": "84a1b2c3"}]
)
def test_a_request_that_was_edited_in_the_database_is_not_signed(fleet: Any, issued: Any, edit: dict[str, str]) -> None:
    ForcedAction.objects.filter(pk=issued.pk).update(**edit)
    Job.objects.filter(pk=issued.job_id).update(warrant=build_warrant_of(issued))
    assert refused(fleet, issued) == ("FIELD", "voided", "field")


def test_a_no_that_was_taken_out_of_the_rows_still_counts(fleet: Any, issued: Any, ada: Any) -> None:
    with transaction.atomic():
        append("forced-action.deny", actor=person(ada), subjects=[("forced-action", str(issued.pk))], data={})
    assert refused(fleet, issued) == ("STATE", "voided", "state")


def test_rows_of_the_sheet_that_say_something_else_than_its_digest_are_not_signed(fleet: Any, issued: Any) -> None:
    """People were shown the rows; the digest they approved is that of other facts."""
    issued.sheet.rows.filter(probe="write-samples").update(word="proves-off")
    assert refused(fleet, issued) == ("CHANGED", "voided", "changed")


@pytest.mark.parametrize("hostid", ["848611d4", "83a0cc71"])
def test_nothing_is_forced_while_somebody_else_answers_as_loser_or_target(fleet: Any, issued: Any, hostid: str) -> None:
    """Found after people had approved: the door that shuts then was open when it was asked for."""
    host = Host.objects.get(owner_hostid=hostid)
    with transaction.atomic():
        note_claims([Claim(host, None, "boot-2", "copied")], timezone.now())
    assert refused(fleet, issued) == ("HOSTID_COLLISION", "voided", "hostid_collision")


def test_an_order_to_another_host_than_the_approved_one_is_not_signed(fleet: Any, issued: Any) -> None:
    other = issued.target.__class__.objects.get(owner_hostid="84a1b2c3")
    Job.objects.filter(pk=issued.job_id).update(host=other)
    assert refused(fleet, issued) == ("AUDIENCE", "voided", "audience")


def test_a_forced_order_that_no_forced_action_asked_for_is_never_signed(fleet: Any, issued: Any) -> None:
    job = Job.objects.get(pk=issued.job_id)
    job.pk, job.key = issued.pk, "by hand"
    job.save(force_insert=True)
    orphan = Job.objects.get(key="by hand")
    orphan.pk, orphan.key, orphan.subject_id = issued.zone_id, "orphan", "nobody"
    orphan.save(force_insert=True)
    fleet.sign()
    for key in ("by hand", "orphan"):
        forged = Job.objects.get(key=key)
        assert (forged.state, forged.code, forged.envelope) == ("cancelled", "FIELD", None)
    issued.refresh_from_db()
    assert issued.state == "executing", "the real order is signed all the same"


def test_a_row_that_cannot_be_read_does_not_stop_the_others(fleet: Any, olga: Any, monkeypatch: Any) -> None:
    job, strange = inspect_now("83a0cc71", actor=olga), inspect_now("848611d4", actor=olga)
    other = inspect_now("84a1b2c3", actor=olga)
    Job.objects.filter(pk=strange.pk).update(kind="of-a-later-version")
    check = signer.check_plain

    def stumble(checked: Job) -> None:
        if checked.pk == job.pk:
            raise ZeroDivisionError
        check(checked)

    monkeypatch.setattr(signer, "check_plain", stumble)
    fleet.sign()
    states = {pk: Job.objects.values_list("state", flat=True).get(pk=pk) for pk in (job.pk, strange.pk, other.pk)}
    assert states == {job.pk: "new", strange.pk: "new", other.pk: "signed"}


def test_an_order_whose_args_are_not_those_of_its_kind_is_refused(fleet: Any, olga: Any) -> None:
    job = inspect_now("83a0cc71", actor=olga)
    Job.objects.filter(pk=job.pk).update(args=["not", "an", "object"])
    fleet.sign()
    job.refresh_from_db()
    assert (job.state, job.code) == ("cancelled", "FIELD")


def test_an_agent_that_was_revoked_is_given_no_order(fleet: Any, issued: Any) -> None:
    revoke_agent(fleet.agent.uuid)
    assert refused(fleet, issued) == ("AGENT", "voided", "agent")


def test_the_same_row_gives_the_same_bytes_when_the_signer_died_before_its_commit(fleet: Any, issued: Any) -> None:
    savepoint = transaction.savepoint()
    fleet.sign()
    first = bytes(Job.objects.get(pk=issued.job_id).envelope)
    transaction.savepoint_rollback(savepoint)
    assert Job.objects.get(pk=issued.job_id).state == "new"
    fleet.sign()
    assert bytes(Job.objects.get(pk=issued.job_id).envelope) == first
    assert issued.warrants.count() == 1


def test_the_sweep_is_signed_without_events(fleet: Any) -> None:
    insert_inspections()
    before = Event.objects.count()
    fleet.sign()
    jobs = list(Job.objects.all())
    assert {job.state for job in jobs} == {"signed"}
    assert {order_of(job, fleet.authority).owner_hostid for job in jobs} == set(fleet.agent.hosts)
    assert Event.objects.count() == before


def test_who_may_not_ask_any_more_gets_nothing_signed(fleet: Any, olga: Any) -> None:
    job = inspect_now("83a0cc71", actor=olga)
    retire_role(olga, "operator")
    fleet.sign()
    job.refresh_from_db()
    assert (job.state, job.code, job.envelope) == ("cancelled", "REQUESTER", None)


def test_a_safe_verb_that_nobody_asked_for_is_not_signed(fleet: Any) -> None:
    fleet.say_states()
    host = fleet.conflict().host
    with transaction.atomic():
        job = insert_job(key="nobody", kind="halt", host=host, zone_name="kzone1")
    fleet.sign()
    job.refresh_from_db()
    assert (job.state, job.code) == ("cancelled", "REQUESTER")


def test_the_beacon_says_the_time_and_what_was_withdrawn(fleet: Any, olga: Any) -> None:
    job = inspect_now("83a0cc71", actor=olga)
    fleet.sign()
    Job.objects.filter(pk=job.pk).update(state="sent", sent_count=1, send_again_at=timezone.now())
    cancel_job(job.pk, actor=olga)
    signer.sign_beacon(fleet.authority)
    row = SignedBeacon.objects.get()
    keys = [envelope.raw_public_key(fleet.authority)]
    found = envelope.verify(
        row.envelope.encode(), payload_type=BEACON_TYPE, keys=keys, max_payload_bytes=MAX_BEACON_BYTES
    )
    beacon = read_beacon(found.payload)
    assert (beacon.deployment, beacon.withdrawn) == (deployment_uuid(), (job.pk,))
    assert abs(beacon.at - timezone.now().timestamp()) < 5


def test_the_loop_signs_and_stops_when_asked(fleet: Any) -> None:
    insert_inspections()
    turns = iter([False, False, True])
    signer.run(fleet.authority, is_stopping=lambda: next(turns))
    assert set(Job.objects.values_list("state", flat=True)) == {"signed"}
    assert SignedBeacon.objects.exists()


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "There is no authority key"),
        ("a1" * 32, 0o644, "may be read by others"),
        ("a1" * 31, 0o600, "does not hold an Ed25519 key"),
        ("not hex", 0o600, "does not hold an Ed25519 key"),
    ],
)
def test_without_a_private_key_of_its_own_it_ends_with_one_sentence(
    tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    path = tmp_path / "authority.key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with override_settings(AUTHORITY_KEY_FILE=str(path)), pytest.raises(CommandError, match=words):
        call_command("sign", "--once")


def test_the_signer_never_speaks_to_the_broker(
    fleet: Any, issued: Any, olga: Any, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """It signs a forced order and a probe, and refuses a third; nobody is woken from here."""
    sent: list[str] = []
    monkeypatch.setattr("apps.base.nudge._send", sent.append)
    gather_evidence(issued.conflict_id, actor=olga, window_s=5)
    refused_job = inspect_now("83a0cc71", actor=olga)
    Job.objects.filter(pk=refused_job.pk).update(args=["not", "an", "object"])
    with django_capture_on_commit_callbacks(execute=True):
        fleet.sign()
    states = set(Job.objects.filter(signed_at__isnull=False).values_list("kind", flat=True))
    assert {"force-takeover", "probe"} <= states
    assert sent == []
