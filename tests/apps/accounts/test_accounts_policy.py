"""Who may do what: the whole table, the grants, and what they leave in the history."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction

from apps.accounts.errors import AlreadyGranted, LastAdministrator, NameTaken
from apps.accounts.models import RoleGrant, User
from apps.accounts.policy import ALL_PERMISSIONS, NEVER_BY_SERVICE, PERMISSIONS, Role
from apps.accounts.selectors import (
    has_permission,
    people_with_role,
    require,
    role_granted_at,
    roles_of,
    users_with_role,
)
from apps.accounts.services import add_person, grant_role, retire_role, set_password
from apps.base.errors import InvalidInput, NotAllowed, SignInNeeded
from apps.history.models import Event

EXPECTED = {
    "accounts.manage": {"administrator"},
    "accounts.view": {"administrator"},
    "configs.download": {"operator"},
    "configs.upload": {"operator"},
    "configs.view": set(Role.values),
    "conflicts.acknowledge": {"operator"},
    "conflicts.assert": {"operator", "approver"},
    "conflicts.sample": {"operator", "approver"},
    "conflicts.view": set(Role.values),
    "escrow.drill": {"key-custodian"},
    "escrow.request_release": {"key-custodian"},
    "escrow.view": {"key-custodian", "auditor"},
    "fleet.confirm": {"administrator"},
    "fleet.inspect": {"operator"},
    "fleet.maintain": {"operator"},
    "fleet.manage": {"administrator"},
    "fleet.view": set(Role.values),
    "forced_actions.approve": {"approver"},
    "forced_actions.cancel": {"operator"},
    "forced_actions.request": {"operator"},
    "forced_actions.veto": {"approver"},
    "forced_actions.view": set(Role.values),
    "history.export": {"auditor"},
    "history.view": set(Role.values),
    "integrations.manage": {"administrator"},
    "jobs.cancel": {"operator"},
    "jobs.view": set(Role.values),
    "policies.manage": {"administrator"},
    "tokens.manage_own": set(Role.values),
    "zones.run": {"operator"},
    "zones.view": set(Role.values),
}


def test_the_table_gives_exactly_these_permissions():
    table = {
        permission: {role.value for role in Role if permission in PERMISSIONS[role]} for permission in ALL_PERMISSIONS
    }
    assert table == EXPECTED
    assert set(PERMISSIONS) == set(Role.values)
    assert NEVER_BY_SERVICE <= ALL_PERMISSIONS


def test_an_administrator_cannot_approve_by_that_role():
    assert "forced_actions.approve" not in PERMISSIONS[Role.ADMINISTRATOR]


@pytest.mark.django_db
def test_a_permission_is_held_with_a_role_and_by_nobody_else(olga, ivo):
    assert has_permission(olga, "zones.run")
    assert not has_permission(olga, "forced_actions.approve")
    assert not has_permission(ivo, "zones.view")
    assert not has_permission(AnonymousUser(), "zones.view")
    require(olga, "zones.run")
    with pytest.raises(NotAllowed) as refusal:
        require(ivo, "zones.run")
    assert refusal.value.facts == {"permission": "zones.run"}
    with pytest.raises(SignInNeeded):
        require(AnonymousUser(), "zones.run")


@pytest.mark.django_db
def test_an_inactive_account_may_nothing(olga):
    olga.is_active = False
    assert not has_permission(olga, "zones.view")


@pytest.mark.django_db
def test_a_retired_role_gives_nothing_and_a_new_grant_is_younger(olga, ines, time_machine):
    time_machine.move_to("2026-11-23T06:00:00Z", tick=False)
    first = grant_role(olga, "approver", by=ines).granted_at
    assert role_granted_at(olga, "approver") == first
    retire_role(olga, "approver", by=ines)
    assert role_granted_at(olga, "approver") is None
    assert roles_of(olga) == {"operator"}
    time_machine.move_to("2026-11-23T07:00:00Z", tick=False)
    assert grant_role(olga, "approver", by=ines).granted_at > first
    assert RoleGrant.objects.filter(user=olga, role="approver").count() == 2
    types = list(Event.objects.filter(actor_id=str(ines.person_id)).values_list("type", flat=True))
    assert types == ["role.grant", "role.retire", "role.grant"]


@pytest.mark.django_db
def test_only_an_administrator_gives_roles(olga, vera):
    with pytest.raises(NotAllowed):
        grant_role(olga, "administrator", by=olga)
    assert roles_of(olga) == {"operator"}


@pytest.mark.django_db
def test_a_role_is_not_given_twice_and_not_retired_when_absent(olga):
    with pytest.raises(AlreadyGranted):
        grant_role(olga, "operator")
    with pytest.raises(AlreadyGranted):
        retire_role(olga, "approver")
    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=olga, role="operator", granted_at=olga.date_joined)


@pytest.mark.django_db
def test_the_last_administrator_stays(ines, make_person):
    with pytest.raises(LastAdministrator):
        retire_role(ines, "administrator", by=ines)
    make_person("irma", "administrator")
    retire_role(ines, "administrator", by=ines)
    assert [user.username for user in users_with_role("administrator")] == ["irma"]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_retire_each_other_at_once_leave_one(ines, make_person):
    irma = make_person("irma", "administrator")
    start, refused = Barrier(2), []

    def retire(user: User) -> None:
        start.wait()
        try:
            retire_role(user, "administrator")
        except LastAdministrator:
            refused.append(user)
        connection.close()

    threads = [Thread(target=retire, args=(user,)) for user in (ines, irma)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == users_with_role("administrator").count() == 1


@pytest.mark.django_db
def test_two_accounts_of_one_person_count_once(adam, make_person):
    make_person("adam2", "approver", person_id=adam.person_id)
    assert users_with_role("approver").count() == 2
    assert people_with_role("approver") == {adam.person_id}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "password", "roles", "refusal", "code"),
    [
        ("a b", "violet-harbour-73", [], InvalidInput, "user_name"),
        ("", "violet-harbour-73", [], InvalidInput, "user_name"),
        ("x" * 65, "violet-harbour-73", [], InvalidInput, "user_name"),
        ("\u043elga", "violet-harbour-73", [], InvalidInput, "user_name"),
        ("OLGA", "violet-harbour-73", [], NameTaken, "name_taken"),
        ("oscar", "short", [], InvalidInput, "password_weak"),
        ("oscar", "password1234", [], InvalidInput, "password_weak"),
        ("oscar", "violet-harbour-73", ["king"], InvalidInput, "role"),
    ],
    ids=repr,
)
def test_an_account_that_cannot_be_is_refused_and_leaves_nothing(olga, name, password, roles, refusal, code):
    before = Event.objects.count()
    with pytest.raises(refusal) as raised:
        add_person(name, password=password, roles=roles)
    assert raised.value.stable_code == code
    assert (User.objects.count(), Event.objects.count()) == (1, before)


@pytest.mark.django_db
def test_no_password_ever_stands_in_the_history(olga):
    set_password(olga, "another-harbour-74", by=olga)
    assert olga.check_password("violet-harbour-73")
    olga.refresh_from_db()
    assert olga.check_password("another-harbour-74")
    bodies = b"".join(bytes(event.body) for event in Event.objects.all())
    assert b"harbour" not in bodies
    assert olga.password.encode() not in bodies
