"""Keeping exported configurations: a new version when the text differs from the last one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db.models import Max, QuerySet

from apps.configs.models import ExportedConfig
from apps.history.actors import Actor, part
from apps.history.services import append
from apps.jobs.results import TakenResult
from apps.zones.models import Placement
from kernelzone.orders import ConfigurationText
from kernelzone.zonecfg import redact

_CONTROL: Final[Actor] = part("control")


def keep_configurations(taken: Sequence[TakenResult], now: datetime) -> None:
    """Every configuration that differs from the last version of its placement is a new version; an event tells so."""
    reported = {
        (one.host.pk, text.zone): text for one in taken if one.result is not None for text in one.result.configurations
    }
    if not reported:
        return
    last = _last_versions({host for host, _ in reported})
    for placement in _placements({host for host, _ in reported}):
        text = reported.get((placement.host_id, placement.name))
        version, sha256 = last.get((placement.zone_id, placement.host_id), (0, ""))
        if text is not None and text.sha256 != sha256:
            _keep(placement, text, version + 1, now)


def _keep(placement: Placement, text: ConfigurationText, version: int, now: datetime) -> None:
    kept = ExportedConfig.objects.create(
        zone_id=placement.zone_id,
        host_id=placement.host_id,
        version=version,
        # the agent has removed the key source; a second look costs nothing
        text=redact(text.text),
        sha256=text.sha256,
        taken_at=now,
    )
    append(
        "configuration.keep",
        actor=_CONTROL,
        subjects=[("zone", str(placement.zone_id)), ("host", placement.host.owner_hostid)],
        data={"version": kept.version, "sha256": kept.sha256},
    )


def _placements(hosts: set[int]) -> QuerySet[Placement]:
    return Placement.objects.filter(host__in=hosts, gone_at=None).select_related("host").order_by("pk")


def _last_versions(hosts: set[int]) -> dict[tuple[object, int], tuple[int, str]]:
    newest = ExportedConfig.objects.filter(host__in=hosts).values("zone", "host").annotate(newest=Max("version"))
    wanted = {(row["zone"], row["host"]): row["newest"] for row in newest}
    rows = ExportedConfig.objects.filter(host__in=hosts).only("zone_id", "host_id", "version", "sha256")
    return {
        (row.zone_id, row.host_id): (row.version, row.sha256)
        for row in rows
        if wanted.get((row.zone_id, row.host_id)) == row.version
    }
