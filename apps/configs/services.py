"""Keeping exported configurations: a new version when the text differs from the last one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Max, OuterRef, Subquery

from apps.configs.models import ExportedConfig
from apps.fleet.models import Host
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.jobs.results import TakenResult
from apps.zones.models import Placement
from kernelzone.orders import ConfigurationText
from kernelzone.zonecfg import redact

_CONTROL: Final[Actor] = part("control")
_Place = tuple[UUID, int]


def keep_configurations(taken: Sequence[TakenResult], now: datetime) -> None:
    """Every configuration that differs from the last version of its placement is a new version; an event tells so.

    Any text is kept, one that cannot be read as a command file too: it is what the host has.
    """
    reported = {
        (one.host.pk, text.zone): text for one in taken if one.result is not None for text in one.result.configurations
    }
    if not reported:
        return
    hosts = sorted({host for host, _ in reported})
    last = _last_versions(hosts)
    kept: dict[_Place, ExportedConfig] = {}
    host_of = {one.host.pk: one.host for one in taken}
    here = Placement.objects.filter(host__in=hosts, gone_at=None).order_by("pk")
    for zone, host, name in here.values_list("zone", "host", "name"):
        text = reported.get((host, name))
        place = (zone, host)
        version, sha256 = last.get(place, (0, ""))
        # of a zone that one host configures under two names the first is kept
        if text is not None and text.sha256 != sha256 and place not in kept:
            kept[place] = _version(zone, host_of[host], text, version + 1, now)
    ExportedConfig.objects.bulk_create(kept.values())


def _version(zone: UUID, host: Host, text: ConfigurationText, version: int, now: datetime) -> ExportedConfig:
    append(
        "configuration.keep",
        actor=_CONTROL,
        subjects=[("zone", str(zone)), ("host", host.owner_hostid)],
        data={"version": version, "sha256": text.sha256},
    )
    return ExportedConfig(
        zone_id=zone,
        host=host,
        version=version,
        # the agent has removed the key source; a second look costs nothing
        text=redact(text.text),
        sha256=text.sha256,
        taken_at=now,
    )


def _last_versions(hosts: Iterable[int]) -> dict[_Place, tuple[int, str]]:
    """Return version and digest of the last version of every placement of these hosts."""
    same = ExportedConfig.objects.filter(zone=OuterRef("zone"), host=OuterRef("host")).order_by()
    newest = same.values("zone").annotate(newest=Max("version")).values("newest")
    rows = ExportedConfig.objects.filter(host__in=hosts, version=Subquery(newest))
    values = rows.values_list("zone", "host", "version", "sha256")
    return {(zone, host): (version, sha256) for zone, host, version, sha256 in values}
