"""Which role gives which permission: one table, for pages, API and services alike.

A permission is `<app>.<verb>`. A view permission is given to every role but none.
"""

from __future__ import annotations

from typing import Final

from django.db import models


class Role(models.TextChoices):
    """What a person may be. A person may have several; none of them implies another."""

    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    APPROVER = "approver", "Approver"
    KEY_CUSTODIAN = "key-custodian", "Key custodian"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


VIEW: Final = frozenset(
    {
        "fleet.view",
        "zones.view",
        "configs.view",
        "conflicts.view",
        "forced_actions.view",
        "jobs.view",
        "history.view",
        "tokens.manage_own",
    }
)

PERMISSIONS: Final[dict[str, frozenset[str]]] = {
    Role.VIEWER: VIEW,
    Role.OPERATOR: VIEW
    | {
        "fleet.inspect",
        "fleet.maintain",
        "zones.run",
        "configs.upload",
        "configs.download",
        "conflicts.acknowledge",
        "conflicts.sample",
        "conflicts.assert",
        "forced_actions.request",
        "forced_actions.cancel",
        "jobs.cancel",
    },
    Role.APPROVER: VIEW
    | {
        "forced_actions.approve",
        "forced_actions.veto",
        "conflicts.sample",
        "conflicts.assert",
    },
    Role.KEY_CUSTODIAN: VIEW | {"escrow.view", "escrow.drill", "escrow.request_release"},
    Role.AUDITOR: VIEW | {"history.export", "escrow.view"},
    Role.ADMINISTRATOR: VIEW
    | {
        "accounts.view",
        "accounts.manage",
        "fleet.manage",
        "fleet.confirm",
        "policies.manage",
        "integrations.manage",
    },
}

# A service token has no person in front of it: it never consents, and never makes a personal token that could.
NEVER_BY_SERVICE: Final = frozenset(
    {"forced_actions.approve", "accounts.manage", "conflicts.assert", "tokens.manage_own", "fleet.confirm"}
)

ALL_PERMISSIONS: Final = frozenset().union(*PERMISSIONS.values())


def permissions_of(roles: set[str]) -> frozenset[str]:
    """Return every permission that one of `roles` gives."""
    return frozenset().union(*(PERMISSIONS[Role(role)] for role in roles))
