"""How times and hosts are written in sentences."""

from __future__ import annotations

from datetime import datetime

from apps.base.wording import age
from apps.fleet.models import Host


def clock(moment: datetime) -> str:
    """Return a time of day as `10:31:02 UTC`."""
    return f"{moment:%H:%M:%S} UTC"


def named(host: Host | None, owner_hostid: str = "") -> str:
    """Return what people call a host: its hostname, else its owner hostid."""
    if host is None:
        return f"the host with hostid {owner_hostid}" if owner_hostid else "an unknown host"
    return host.hostname or f"the host with hostid {host.owner_hostid}"


def silence(host: Host, now: datetime) -> str:
    """Return the sentence about a host that does not answer: silence proves nothing."""
    if host.last_heard_at is None:
        return f"{named(host)} has never been heard from. Its silence proves nothing."
    return f"{named(host)} has not been heard from for {age(now - host.last_heard_at)}. Its silence proves nothing."
