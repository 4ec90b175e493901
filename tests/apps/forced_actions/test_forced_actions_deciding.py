"""Who may decide what, in which state; in which order a decision is refused; what one decision does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, Final

import pytest
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import SecondFactorGuard
from apps.accounts.second_factor import enrol_totp
from apps.accounts.services import grant_role, retire_role
from apps.base.errors import DomainError
from apps.conflicts.evidence import make_evidence_sheet
from apps.forced_actions.models import Approval, ForcedAction
from apps.forced_actions.services import (
    Decision,
    cancel_forced_action,
    comment_on_forced_action,
    decide_forced_action,
)
from apps.forced_actions.workflow import OPEN, State
from apps.history.models import Event

ROLES: Final = ("ivo", "vera", "other_operator", "requester", "ines", "approver", "requester_who_approves")
APPROVE: Final = ("approver", "requester_who_approves")
BEFORE_INTENT: Final = {State.PENDING, State.RELEASING, State.EXECUTING}
CANCELLABLE: Final = {State.OBSERVING, State.PENDING}


def expected(act: str, role: str, state: State) -> str:
    """Return the code an act ends with: the table of who may do what in which state, written out."""
    if role == "ivo":
        return "not_found"
    return {"comment": _comment, "cancel": _cancel, "deny": _deny, "approve": _approve}[act](role, state)


def _comment(role: str, state: State) -> str:
    return "ok"


def _cancel(role: str, state: State) -> str:
    if role in ("vera", "ines", "approver"):
        return "not_allowed"
    if state not in CANCELLABLE:
        return "state"
    return "not_requester" if role == "other_operator" else "ok"


def _deny(role: str, state: State) -> str:
    if role not in APPROVE:
        return "not_allowed"
    return "ok" if state in BEFORE_INTENT else "state"


def _approve(role: str, state: State) -> str:
    if role not in APPROVE:
        return "not_allowed"
    if state is not State.PENDING:
        return "evidence_changed" if state is State.VOIDED else "state"
    return "self_approval" if role == "requester_who_approves" else "ok"


@contextmanager
def undone() -> Iterator[None]:
    """Whatever happens inside has not happened afterwards."""
    savepoint = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(savepoint)


@pytest.fixture
def cast(request: Any, make_person: Any, olga: Any, adam: Any) -> Callable[[str], Any]:
    """Return a function (role) that gives the account; the requester of the fixtures is Olga."""

    def account(role: str) -> Any:
        if role == "requester_who_approves":
            grant_role(olga, "approver")
            olga.role_grants.update(granted_at=ForcedAction.objects.get().requested_at)
        if role in ("requester", "requester_who_approves"):
            return type(olga).objects.get(pk=olga.pk)
        if role == "approver":
            return adam
        return make_person("oskar", "operator") if role == "other_operator" else request.getfixturevalue(role)

    return account


@pytest.mark.parametrize("role", ROLES)
def test_who_may_do_what_in_which_state(role: str, pending: Any, cast: Any, totp_code: Any) -> None:
    user = cast(role)
    code = totp_code(user) if role == "approver" else "000000"
    yes, no = Decision("approve", pending.evidence_sha256, code), Decision("deny", comment="No.")
    acts: dict[str, Callable[[], Any]] = {
        "approve": lambda: decide_forced_action(pending.pk, yes, actor=user),
        "deny": lambda: decide_forced_action(pending.pk, no, actor=user),
        "cancel": lambda: cancel_forced_action(pending.pk, actor=user),
        "comment": lambda: comment_on_forced_action(pending.pk, actor=user, text="I look into it."),
    }

    def attempt(act: str, state: State) -> str:
        ended = None if state in OPEN else timezone.now()
        ForcedAction.objects.filter(pk=pending.pk).update(state=state, ended_at=ended)
        try:
            acts[act]()
        except DomainError as refusal:
            return refusal.stable_code
        return "ok"

    found = {}
    for act, state in product(acts, State):
        with undone():
            found[act, state] = attempt(act, state)
    assert found == {(act, state): expected(act, role, state) for act, state in product(acts, State)}


def test_refusals_come_in_the_order_a_person_would_ask(
    pending: Any, adam: Any, ada: Any, approve: Any, totp_code: Any
) -> None:
    """Everything is wrong at once; what is put right one by one uncovers the next refusal, and no code is used up."""
    code = totp_code(adam)
    Approval.objects.create(
        forced_action=pending,
        verdict="approve",
        approver=adam,
        person_id=adam.person_id,
        evidence_sha256=pending.evidence_sha256,
        made_at=timezone.now(),
        event_seq=1,
    )
    requester = pending.requested_by
    ForcedAction.objects.filter(pk=pending.pk).update(state=State.OBSERVING, requested_by=adam)
    adam.role_grants.update(granted_at=timezone.now())

    def refused() -> str:
        with pytest.raises(DomainError) as refusal:
            decide_forced_action(pending.pk, Decision("approve", "f" * 64, "000000"), actor=adam)
        return refusal.value.stable_code

    found = [refused()]
    ForcedAction.objects.filter(pk=pending.pk).update(state=State.PENDING)
    found.append(refused())
    ForcedAction.objects.filter(pk=pending.pk).update(requested_by=requester)
    found.append(refused())
    adam.role_grants.update(granted_at=pending.requested_at)
    found.append(refused())
    Approval.objects.all().delete()
    found.append(refused())
    assert found == ["state", "self_approval", "grant_too_young", "already_reviewed", "evidence_changed"]

    with pytest.raises(DomainError) as refusal:
        decide_forced_action(pending.pk, Decision("approve", pending.evidence_sha256, "000000"), actor=adam)
    assert refusal.value.stable_code == "second_factor_wrong"
    assert decide_forced_action(pending.pk, Decision("approve", pending.evidence_sha256, code), actor=adam)


def test_the_second_approval_reaches_the_quorum_and_the_first_does_not(
    pending: Any, adam: Any, ada: Any, approve: Any
) -> None:
    assert approve(pending, adam).state == "pending"
    assert approve(pending, ada).state == "releasing"
    approvals = list(Approval.objects.order_by("event_seq"))
    assert [row.approver for row in approvals] == [adam, ada]
    assert {row.evidence_sha256 for row in approvals} == {pending.evidence_sha256}
    assert Event.objects.get(seq=approvals[0].event_seq).record["type"] == "forced-action.approve"


def test_two_accounts_of_one_person_count_once(pending: Any, adam: Any, make_person: Any, approve: Any) -> None:
    second = make_person("adam2", "approver", person_id=adam.person_id, totp=True)
    second.role_grants.update(granted_at=pending.requested_at)
    approve(pending, adam)
    with pytest.raises(DomainError) as refused:
        approve(pending, second)
    assert refused.value.stable_code == "already_reviewed"
    pending.refresh_from_db()
    assert (pending.state, pending.approvals.count()) == ("pending", 1)


def test_a_second_account_of_the_requester_cannot_approve(
    pending: Any, olga: Any, make_person: Any, approve: Any
) -> None:
    second = make_person("olga2", "approver", person_id=olga.person_id, totp=True)
    second.role_grants.update(granted_at=pending.requested_at)
    with pytest.raises(DomainError) as refused:
        approve(pending, second)
    assert refused.value.stable_code == "self_approval"


def test_somebody_made_approver_after_the_request_cannot_approve_it(
    pending: Any, make_person: Any, approve: Any
) -> None:
    late = make_person("lars", "approver", totp=True)
    with pytest.raises(DomainError) as refused:
        approve(pending, late)
    assert refused.value.stable_code == "grant_too_young"


def test_one_deny_ends_it_whoever_said_yes_before(pending: Any, adam: Any, ada: Any, approve: Any, deny: Any) -> None:
    approve(pending, adam)
    assert deny(pending, ada, "The host is back.").state == "denied"
    with pytest.raises(DomainError) as refused:
        approve(pending, adam)
    assert refused.value.stable_code == "state"
    assert refused.value.facts["state"] == "denied"


def test_who_said_yes_may_still_say_no(pending: Any, adam: Any, approve: Any, deny: Any) -> None:
    approve(pending, adam)
    assert deny(pending, adam).state == "denied"
    assert pending.approvals.count() == 1


def test_a_deny_says_why(pending: Any, ada: Any, deny: Any) -> None:
    with pytest.raises(DomainError) as refused:
        deny(pending, ada, "")
    assert refused.value.stable_code == "reason_empty"


def test_a_deny_while_releasing_takes_the_unsigned_order_back(
    fleet: Any, releasing: Any, ada: Any, deny: Any, silence_is_over: Any
) -> None:
    fleet.reconcile()  # asks for the second look
    silence_is_over()
    releasing.refresh_from_db()
    assert releasing.job_id is not None
    assert releasing.state == "releasing"
    deny(releasing, ada)
    fleet.turn(2)
    releasing.refresh_from_db()
    assert releasing.state == "denied"
    assert fleet.kzone1.owner is fleet.global2


def test_an_approval_without_a_digest_is_refused(pending: Any, adam: Any, approve: Any) -> None:
    with pytest.raises(DomainError) as refused:
        approve(pending, adam, evidence_sha256="")
    assert refused.value.stable_code == "digest_missing"


def test_the_digest_of_an_older_sheet_is_refused_with_the_difference(
    fleet: Any, pending: Any, olga: Any, adam: Any, approve: Any, silence_is_over: Any
) -> None:
    before = pending.sheet
    fleet.kzone1.writer = True
    other = make_evidence_sheet(pending.zone, pending.target, actor=olga, window_s=5)
    silence_is_over()
    other.refresh_from_db()
    with pytest.raises(DomainError) as refused:
        approve(pending, adam, evidence_sha256=other.facts_sha256)
    assert refused.value.stable_code == "evidence_changed"
    changes = {change["what"]: change for change in refused.value.facts["difference"]}
    assert changes["write samples from 83a0cc71: word"]["before"] == "proves-on"
    assert refused.value.facts["current"] == before.facts_sha256


def test_a_code_is_needed_and_works_once(pending: Any, adam: Any, ada: Any, approve: Any, totp_code: Any) -> None:
    code = totp_code(adam)
    with pytest.raises(DomainError) as refused:
        approve(pending, adam, second_factor="")
    assert refused.value.stable_code == "second_factor_needed"
    approve(pending, adam, second_factor=code)
    assert SecondFactorGuard.objects.get(user=adam).last_step > 0
    with pytest.raises(DomainError):
        approve(pending, ada, second_factor=code)


def test_an_approver_without_second_factor_cannot_approve(pending: Any, make_person: Any, approve: Any) -> None:
    bare = make_person("bert", "approver")
    bare.role_grants.update(granted_at=pending.requested_at)
    with pytest.raises(DomainError) as refused:
        approve(pending, bare, second_factor="123456")
    assert refused.value.stable_code == "second_factor_needed"
    enrol_totp(bare)
    assert approve(pending, bare).approvals.count() == 1


def test_approving_after_the_time_is_over_is_refused_before_anybody_swept_it(
    pending: Any, adam: Any, approve: Any, later: Any
) -> None:
    later(hours=5)
    with pytest.raises(DomainError) as refused:
        approve(pending, adam)
    assert (refused.value.stable_code, refused.value.facts["state"]) == ("state", "expired")


def test_an_approver_who_lost_the_role_cannot_approve(pending: Any, adam: Any, approve: Any) -> None:
    retire_role(adam, "approver")
    fresh = type(adam).objects.get(pk=adam.pk)
    with pytest.raises(DomainError) as refused:
        approve(pending, fresh)
    assert refused.value.stable_code == "not_found"


def test_a_comment_is_kept_and_is_in_the_history(pending: Any, ada: Any) -> None:
    comment = comment_on_forced_action(pending.pk, actor=ada, text="The data centre says the rack is dark.")
    assert pending.comments.get() == comment
    assert Event.objects.filter(type="forced-action.comment").count() == 1
