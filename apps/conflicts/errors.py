"""What conflicts, their evidence and their doors refuse."""

from __future__ import annotations

from apps.base.errors import DomainError


class NotConfiguredThere(DomainError):
    """The host has no placement of this zone, so nothing can be asked or done there. Facts: host, zone."""

    code = "not_configured_there"
    message = "the zone is not configured on this host"
    hint = "Choose a host that has the zone in its configuration, or import the configuration there first."


class ConflictResolved(DomainError):
    """The conflict is over; nothing is asked or done about it any more. Facts: resolved_how."""

    code = "conflict_resolved"
    message = "this conflict is resolved"
    hint = "Look at how it was resolved; nothing needs to be done here."


class DoorShut(DomainError):
    """The door is not open; `reason` says why. Facts: door, reason."""

    code = "door_shut"
    message = "this way out is shut"
    hint = "Read why, and take the first door that is open."


class DoorUnknown(DomainError):
    """There is no door of this name, or it is not taken this way. Facts: door."""

    code = "door_unknown"
    status = 422
    message = "there is no such way out"
    hint = "Use one of the doors the conflict shows."


class ForcedDoor(DomainError):
    """A forced door is neither taken nor waived: it is requested as a forced action. Facts: door."""

    code = "forced_door"
    message = "nobody takes this way out alone"
    hint = "Request a forced action; others must approve it."


class AlreadyWaived(DomainError):
    """The door was waived for this conflict before. Facts: door."""

    code = "already_waived"
    message = "this way out was given up already"
    hint = "Nothing needs to be done."


class OwnerUnknown(DomainError):
    """Host data names no owner that a word could be about."""

    code = "owner_unknown"
    message = "host data of this zone names no owner"
    hint = "Have the zone inspected again; say it once an owner is known."
