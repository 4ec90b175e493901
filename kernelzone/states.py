"""The states of a zone on one host, and which verb leads from which state to which.

    configured --install, clone, attach--> installed --ready--> ready --boot--> running
    running --halt, shutdown, suspend--> installed --detach, uninstall--> configured
    (attach that finds boot storage unusable) --> unavailable --attach--> installed

Source: docs.oracle.com, solaris-kz, zoneadm(8); the order of `ready` and `halt` is that of illumos' zoneadm.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ZoneState(StrEnum):
    """The primary states, spelled as `zoneadm list` spells them."""

    CONFIGURED = "configured"
    INCOMPLETE = "incomplete"
    UNAVAILABLE = "unavailable"
    INSTALLED = "installed"
    READY = "ready"
    RUNNING = "running"
    SHUTTING_DOWN = "shutting_down"
    DOWN = "down"
    MOUNTED = "mounted"


class AuxiliaryState(StrEnum):
    """What `zoneadm list -s` adds to the primary state."""

    DEBUGGING = "debugging"
    MIGRATING_IN = "migrating-in"
    MIGRATING_OUT = "migrating-out"
    NO_CONFIG = "no-config"
    PANICKED = "panicked"
    SUSPENDED = "suspended"


class Verb(StrEnum):
    """The `zoneadm` subcommands that a zone's state allows or not. `mark-*` is `zoneadm mark *`."""

    INSTALL = "install"
    CLONE = "clone"
    ATTACH = "attach"
    DETACH = "detach"
    READY = "ready"
    BOOT = "boot"
    REBOOT = "reboot"
    HALT = "halt"
    SHUTDOWN = "shutdown"
    SUSPEND = "suspend"
    MIGRATE = "migrate"
    UNINSTALL = "uninstall"
    RENAME = "rename"
    VERIFY = "verify"
    APPLY = "apply"
    MARK_INCOMPLETE = "mark-incomplete"
    MARK_UNAVAILABLE = "mark-unavailable"


class VerbRefused(ValueError):
    """The verb is not allowed in this state. `code` is `ZONE_STATE`; `state` and `verb` say which."""

    code: Final = "ZONE_STATE"

    def __init__(self, state: ZoneState, verb: Verb) -> None:
        super().__init__(f"{verb} is not allowed while the zone is {state}")
        self.state = state
        self.verb = verb


ACTIVE: Final = frozenset({ZoneState.READY, ZoneState.RUNNING, ZoneState.SHUTTING_DOWN, ZoneState.DOWN})
"""States in which the zone may use its boot storage."""

_RESTING: Final = (ZoneState.CONFIGURED, ZoneState.INSTALLED, ZoneState.UNAVAILABLE)

NEXT: Final[dict[tuple[ZoneState, Verb], ZoneState]] = {
    (ZoneState.CONFIGURED, Verb.INSTALL): ZoneState.INSTALLED,
    (ZoneState.CONFIGURED, Verb.CLONE): ZoneState.INSTALLED,
    (ZoneState.CONFIGURED, Verb.ATTACH): ZoneState.INSTALLED,
    (ZoneState.CONFIGURED, Verb.MARK_INCOMPLETE): ZoneState.INCOMPLETE,
    (ZoneState.INCOMPLETE, Verb.UNINSTALL): ZoneState.CONFIGURED,
    (ZoneState.UNAVAILABLE, Verb.ATTACH): ZoneState.INSTALLED,
    (ZoneState.UNAVAILABLE, Verb.UNINSTALL): ZoneState.CONFIGURED,
    (ZoneState.UNAVAILABLE, Verb.MARK_INCOMPLETE): ZoneState.INCOMPLETE,
    (ZoneState.INSTALLED, Verb.READY): ZoneState.READY,
    (ZoneState.INSTALLED, Verb.BOOT): ZoneState.RUNNING,
    (ZoneState.INSTALLED, Verb.DETACH): ZoneState.CONFIGURED,
    (ZoneState.INSTALLED, Verb.MIGRATE): ZoneState.CONFIGURED,
    (ZoneState.INSTALLED, Verb.UNINSTALL): ZoneState.CONFIGURED,
    (ZoneState.INSTALLED, Verb.MARK_INCOMPLETE): ZoneState.INCOMPLETE,
    (ZoneState.INSTALLED, Verb.MARK_UNAVAILABLE): ZoneState.UNAVAILABLE,
    (ZoneState.READY, Verb.READY): ZoneState.READY,
    (ZoneState.READY, Verb.BOOT): ZoneState.RUNNING,
    (ZoneState.READY, Verb.HALT): ZoneState.INSTALLED,
    (ZoneState.RUNNING, Verb.REBOOT): ZoneState.RUNNING,
    (ZoneState.RUNNING, Verb.HALT): ZoneState.INSTALLED,
    (ZoneState.RUNNING, Verb.SHUTDOWN): ZoneState.INSTALLED,
    (ZoneState.RUNNING, Verb.SUSPEND): ZoneState.INSTALLED,
    (ZoneState.RUNNING, Verb.MIGRATE): ZoneState.CONFIGURED,
    # A zone that hangs on its way down is only got out of it by halt.
    (ZoneState.SHUTTING_DOWN, Verb.HALT): ZoneState.INSTALLED,
    (ZoneState.DOWN, Verb.HALT): ZoneState.INSTALLED,
    **{
        (state, verb): state
        for verb, allowed in {
            Verb.VERIFY: (*_RESTING, ZoneState.INCOMPLETE, ZoneState.READY, ZoneState.RUNNING),
            Verb.RENAME: _RESTING,
            Verb.APPLY: (ZoneState.INSTALLED, ZoneState.READY, ZoneState.RUNNING),
        }.items()
        for state in allowed
    },
}
"""Where each allowed verb leads when it succeeds. After `migrate` it is the state on the source."""


def next_state(state: ZoneState, verb: Verb) -> ZoneState:
    """Return the state `verb` leads to from `state` when it succeeds.

    Raises: VerbRefused.
    """
    try:
        return NEXT[state, verb]
    except KeyError:
        raise VerbRefused(state, verb) from None


def verbs_allowed(state: ZoneState) -> frozenset[Verb]:
    """Return the verbs that `state` allows."""
    return frozenset(verb for allowed, verb in NEXT if allowed == state)
