"""Refusals about zones."""

from __future__ import annotations

from apps.base.errors import DomainError


class ZoneBlocked(DomainError):
    """Something that is not settled yet forbids every other action on the zone. Facts: why."""

    code = "zone_blocked"
    status = 409
    message = "another action on this zone is not settled"
    hint = "Wait until it has ended, or settle it first; its page says what it waits for."


class PlacementMissing(DomainError):
    """The host does not configure the zone. Facts: owner_hostid."""

    code = "placement_missing"
    status = 409
    message = "this host does not configure the zone"
    hint = "Choose a host on which the zone is configured, or inspect the host again."


class TargetUnfit(DomainError):
    """A zone cannot be migrated to that host. Facts: why."""

    code = "migration_target"
    status = 409
    message = "the zone cannot be migrated to this host"
    hint = "Choose another host of the fleet, one that has been inspected."


class VerbNotOffered(DomainError):
    """Not a safe verb. Facts: verb."""

    code = "verb_not_offered"
    status = 422
    message = "this verb is not offered"
    hint = (
        "Use attach, detach, ready, boot, halt, shutdown, suspend, mark-unavailable or disable-autoboot; "
        "others have a way of their own."
    )
