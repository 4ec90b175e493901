"""The story of a takeover, told on the command line from the conflict to the settled reading."""

from __future__ import annotations

from typing import Any

from apps.forced_actions.models import ForcedAction

MESSAGE = """\
zone 'kzone1': error: ERROR: zone kzone1 is in use by host with  hostid 848611d4
zone 'kzone1': error:       last known state: installed
zone 'kzone1': error:               hostname: global2
zone 'kzone1': error:  boot environment name: solaris-1
zone 'kzone1': error:  boot environment uuid: 69ed2e6a-e25a-6d36-e022-ed7261ed8899
zone 'kzone1': error:       last update time: Sun Apr 13 20:08:13 2014
zone 'kzone1': error: To fix, detach the zone from the other host then attach it to this host
zone 'kzone1': error: If the zone is not active on another host, attach it with
zone 'kzone1': error:    zoneadm -z kzone1 attach -x force-takeover
"""


def test_what_is_wrong_and_the_ways_out_are_shown(kzfleet: Any, fleet: Any, olga: Any) -> None:
    assert "global2 (848611d4)" in kzfleet(olga, "zones").out
    assert "held-elsewhere" in kzfleet(olga, "conflicts").out

    shown = kzfleet(olga, "conflicts", "show", "kzone1")

    assert (shown.status, shown.err) == (0, "")
    assert MESSAGE in shown.out
    assert "heard from for 41 min. Its silence proves nothing." in shown.out
    assert "open    force-takeover (forced: others must approve it)" in shown.out
    assert "shut    detach-and-attach" in shown.out


def test_a_takeover_is_requested_approved_and_followed_to_its_end(
    kzfleet: Any, fleet: Any, frozen: Any, people: Any, totp_code: Any
) -> None:
    digest = frozen.evidence_sha256
    for approver in (people.adam, people.ada):
        shown = kzfleet(approver, "forced-action", "show", str(frozen.pk)[-8:])
        assert f"digest {digest}" in shown.out
        code = totp_code(approver) + "\n"
        said = kzfleet(approver, "approve", "kzone1", "--digest", digest, "--code-stdin", stdin=code)
        assert said.status == 0, said.err

    followed = kzfleet(people.olga, "watch", str(frozen.pk))

    assert followed.status == 0, followed.err
    wanted = ("): releasing\n", "  | done it is\n", "force-takeover of kzone1 to global1 (83a0cc71): done. A reading")
    assert sorted(wanted, key=followed.out.index) == list(wanted)
    assert fleet.kzone1.owner is fleet.global1
    assert kzfleet(people.olga, "conflicts").out == "no conflicts\n"
    history = kzfleet(people.olga, "events", "--subject", f"forced-action:{frozen.pk}").out
    steps = ("submit by olga", "approve by adam", "approve by ada", "quorum-reached by signer", "succeed by")
    assert sorted(steps, key=history.index) == list(steps)


def test_a_request_says_what_will_run_and_how_to_follow_it(request_takeover: Any, people: Any) -> None:
    asked = request_takeover(people.olga)

    assert asked.status == 0
    assert "zoneadm -z kzone1 attach -x force-takeover" in asked.out
    action = ForcedAction.objects.get()
    assert (action.requested_by, action.state, action.target.hostname) == (people.olga, "observing", "global1")
    assert f"kzfleet watch {str(action.pk)[-8:]}" in asked.out


def test_the_requester_types_the_zone_and_the_loser(kzfleet: Any, fleet: Any, answers: Any, people: Any) -> None:
    asked = answers("The power supply of global2 is gone for good.", "kzone1", "848611d4")

    said = kzfleet(people.olga, "request", "kzone1")

    assert said.status == 0, said.err
    assert [question.split(" (")[0] for question in asked] == [
        "Reason",
        "Type the name of the zone",
        "Type the hostid of the host that loses it",
    ]
    assert ForcedAction.objects.get().reason == "The power supply of global2 is gone for good."


def test_an_approver_is_shown_the_evidence_and_asked_and_the_digest_that_was_shown_is_sent(
    kzfleet: Any, frozen: Any, people: Any, totp_code: Any, answers: Any
) -> None:
    asked = answers("y", totp_code(people.adam))

    said = kzfleet(people.adam, "approve", "kzone1", "--comment", "Seen it dark.")

    assert said.status == 0, said.err
    assert said.out.index(f"digest {frozen.evidence_sha256}") < said.out.index("1 of 2 approvals")
    assert asked == ["Approve exactly this?", "Code of your second factor: (unseen)"]
    approval = frozen.approvals.get()
    assert (approval.approver, approval.evidence_sha256, approval.comment) == (
        people.adam,
        frozen.evidence_sha256,
        "Seen it dark.",
    )


def test_nothing_is_decided_by_an_approver_who_does_not_say_yes(
    kzfleet: Any, frozen: Any, people: Any, answers: Any
) -> None:
    asked = answers("n")

    said = kzfleet(people.adam, "approve", "kzone1")

    assert (said.status, said.err) == (1, "kzfleet: nothing was decided.\n")
    assert asked == ["Approve exactly this?"]
    assert not frozen.approvals.exists()


def test_a_request_whose_evidence_is_not_complete_cannot_be_approved(
    kzfleet: Any, request_takeover: Any, people: Any, totp_code: Any
) -> None:
    request_takeover(people.olga)

    said = kzfleet(people.adam, "approve", "kzone1", "--code-stdin", stdin=totp_code(people.adam))

    assert (said.status, "its evidence is not complete yet" in said.err) == (1, True)
