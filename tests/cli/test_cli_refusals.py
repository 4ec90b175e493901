"""What must not work, and how a terminal is told: one line with the reason, what to do next, and the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.forced_actions.models import ForcedAction
from apps.jobs.models import Job

OLD_DIGEST = "0" * 64


def test_nobody_approves_their_own_request(
    kzfleet: Any, fleet: Any, make_person: Any, request_takeover: Any, totp_code: Any
) -> None:
    both = make_person("bo", "operator", "approver", totp=True)
    request_takeover(both)
    ForcedAction.objects.update(state="pending", evidence_sha256=OLD_DIGEST)

    said = kzfleet(both, "approve", "kzone1", "--digest", OLD_DIGEST, "--code-stdin", stdin=totp_code(both))

    assert said.status == 1
    assert said.err == "kzfleet: nobody approves their own request. Ask another approver. (self_approval)\n"
    assert not ForcedAction.objects.get().approvals.exists()


def test_an_old_digest_is_refused_and_the_difference_is_told(
    kzfleet: Any, fleet: Any, frozen: Any, people: Any, totp_code: Any, fleet_works: Any
) -> None:
    digest = frozen.evidence_sha256
    for approver in (people.adam, people.ada):
        kzfleet(approver, "approve", "kzone1", "--digest", digest, "--code-stdin", stdin=totp_code(approver))
    fleet.kzone1.change()

    followed = kzfleet(people.olga, "watch", "kzone1")
    again = kzfleet(
        people.adam, "approve", str(frozen.pk), "--digest", digest, "--code-stdin", stdin=totp_code(people.adam)
    )

    assert (followed.status, "voided" in followed.out) == (1, True)
    changed = f"  host data read from 83a0cc71: {fleet.kzone1.device} generation: was 7, is 8\n"
    assert changed in followed.out
    assert (again.status, "(evidence_changed)" in again.err) == (1, True)
    assert changed in again.err
    assert fleet.kzone1.owner is fleet.global2


def test_a_wrong_code_is_refused_and_is_not_in_what_is_said(kzfleet: Any, frozen: Any, people: Any) -> None:
    said = kzfleet(people.adam, "approve", "kzone1", "--digest", frozen.evidence_sha256, "--code-stdin", stdin="000000")

    assert (said.status, "(second_factor_wrong)" in said.err) == (1, True)
    assert "000000" not in said.err
    assert not frozen.approvals.exists()


def test_a_code_is_no_argument(kzfleet: Any, frozen: Any, people: Any) -> None:
    said = kzfleet(people.adam, "approve", "kzone1", "--digest", frozen.evidence_sha256, "--code", "123456")

    assert (said.status, "No such option" in said.err) == (2, True)


def test_without_a_terminal_an_approver_says_which_digest(kzfleet: Any, frozen: Any, people: Any) -> None:
    said = kzfleet(people.adam, "approve", "kzone1", "--code-stdin", stdin="123456")

    assert (said.status, "--digest" in said.err) == (2, True)


def test_without_a_terminal_the_zone_and_the_loser_are_options(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "request", "kzone1", "--reason", "It does not come back before noon.")

    assert said.status == 2
    assert "--confirm-zone is missing, and there is no terminal to ask at" in said.err
    assert not ForcedAction.objects.exists()


@pytest.mark.parametrize(
    ("option", "typed", "code"),
    [
        ("--confirm-zone", "kzone2", "typed_zone_name"),
        ("--confirm-loser", "83a0cc71", "typed_loser_hostid"),
        ("--confirm-loser", "somebody", "hostid"),
        ("--reason", "too short", "reason_short"),
        ("--reason", "a reason with a \x00 in it, well hidden", "reason_control"),
        ("--kind", "release-key", "forced_action_kind"),
    ],
)
def test_a_request_that_is_not_exact_is_refused(
    request_takeover: Any, people: Any, option: str, typed: str, code: str
) -> None:
    said = request_takeover(people.olga, option, typed)

    assert (said.status, f"({code})" in said.err) == (1, True), said.err
    assert not ForcedAction.objects.exists()


def test_a_reason_comes_from_a_file_or_from_standard_input(kzfleet: Any, fleet: Any, olga: Any, tmp_path: Path) -> None:
    file = tmp_path / "reason.txt"
    file.write_text("It burned down to the second rack unit.\nNobody can switch it on again.\n")
    confirmed = ("--confirm-zone", "kzone1", "--confirm-loser", "848611d4")

    assert kzfleet(olga, "request", "kzone1", "--reason-file", str(file), *confirmed).status == 0
    assert ForcedAction.objects.get().reason == file.read_text().strip()
    assert kzfleet(olga, "cancel", "kzone1").out.strip().endswith(": cancelled")
    said = kzfleet(olga, "request", "kzone1", "--reason-file", "-", *confirmed, stdin="It burned down to the ground.")
    assert said.status == 0, said.err
    assert ForcedAction.objects.get(state="observing").reason == "It burned down to the ground."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe not text", "is not UTF-8 text"),
        (b"a" * 70_000, "is too long for a reason"),
    ],
)
def test_a_reason_file_that_is_none_is_refused_before_anything_is_asked(
    kzfleet: Any, fleet: Any, olga: Any, tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "reason.txt"
    if content is not None:
        file.write_bytes(content)

    said = kzfleet(olga, "request", "kzone1", "--reason-file", str(file))

    assert (said.status, message in said.err) == (2, True), said.err


def test_a_reason_is_given_once(kzfleet: Any, fleet: Any, olga: Any, tmp_path: Path) -> None:
    said = kzfleet(olga, "request", "kzone1", "--reason", "x", "--reason-file", str(tmp_path / "reason.txt"))

    assert (said.status, said.err.startswith("kzfleet: the reason is given twice.")) == (2, True)


def test_one_no_ends_a_request(kzfleet: Any, frozen: Any, people: Any) -> None:
    unsaid = kzfleet(people.ada, "deny", "kzone1", "--comment", "")
    said = kzfleet(people.ada, "deny", "kzone1", "--comment", "The host is back in ten minutes.")

    assert (unsaid.status, "(reason_empty)" in unsaid.err) == (1, True)
    assert (said.status, said.out.endswith("denied: 0 of 2 approvals\n")) == (0, True)
    frozen.refresh_from_db()
    assert frozen.state == "denied"


def test_a_viewer_reads_and_changes_nothing(kzfleet: Any, fleet: Any, vera: Any) -> None:
    assert kzfleet(vera, "conflicts", "show", "kzone1").status == 0
    commands = [
        ("acknowledge", "kzone1"),
        ("evidence", "kzone1"),
        ("say", "kzone1", "I pulled the plug.", "--how", "I stood there."),
        ("waive", "kzone1", "wait-for-owner", "--reason", "It does not come back before noon."),
        ("take", "kzone1", "detach-and-attach"),
        ("run", "boot", "kz-web01", "--on", "global3"),
        ("inspect", "global3"),
    ]
    before = Job.objects.count()

    said = [kzfleet(vera, *command) for command in commands]

    assert {(one.status, one.err.endswith("(not_allowed)\n")) for one in said} == {(1, True)}
    assert Job.objects.count() == before


def test_who_has_no_role_sees_nothing(kzfleet: Any, fleet: Any, ivo: Any) -> None:
    said = kzfleet(ivo, "zones")

    assert (said.status, said.out) == (1, "")
    assert said.err == (
        "kzfleet: you may not do this. Ask an administrator which role gives this permission. (not_allowed)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("zones", "--verdict", "perhaps"), 1, "'verdict' is not a verdict"),
        (("zone", "show", "kzone9"), 1, "there is no zone 'kzone9'"),
        (("zone", "show", "00000000-0000-0000-0000-000000000000"), 1, "there is no such thing here"),
        (("conflicts", "show", "kz-web01"), 1, "there is no conflict 'kz-web01'"),
        (("watch", "kzone1"), 1, "there is no forced action or job 'kzone1'"),
        (("run", "boot", "kz-web01", "--on", "global9"), 1, "there is no host 'global9'"),
        (("run", "fly", "kz-web01", "--on", "global3"), 1, "this verb is not offered"),
        (("run", "boot", "kz-web01", "--on", "global1"), 1, "this host does not configure the zone"),
        (("take", "kzone1", "force-takeover"), 1, "nobody takes this way out alone"),
        (("take", "kzone1", "window"), 1, "there is no such way out"),
        (("jobs", "--state", "asleep"), 1, "'state' is not one of"),
        (("events", "--subject", "zone"), 1, "'subject' is not of the form kind:id"),
        (("events", "--after", "-1"), 2, "Invalid value for '--after'"),
        (("fly",), 2, "No such command 'fly'"),
        (("approve",), 2, "Missing argument"),
    ],
)
def test_what_is_wrongly_asked_is_refused_in_one_sentence(
    kzfleet: Any, fleet: Any, olga: Any, arguments: tuple[str, ...], status: int, words: str
) -> None:
    said = kzfleet(olga, *arguments)

    assert (said.status, words in said.err, said.out) == (status, True, ""), said.err


def test_a_shut_door_says_why(kzfleet: Any, fleet: Any, olga: Any) -> None:
    said = kzfleet(olga, "take", "kzone1", "detach-and-attach")

    assert (said.status, "(door_shut)" in said.err) == (1, True)
    assert "has not been heard from" in said.err.split("\n")[1]
