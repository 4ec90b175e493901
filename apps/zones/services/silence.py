"""Silence begins without a report: the zones of hosts that fell silent, or speak again, are looked at anew."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.fleet.collisions import claims_to_note, take_noted
from apps.fleet.selectors import silent_hosts
from apps.history.services import events_last
from apps.zones.models import Placement, SilentHost


def note_silence() -> int:
    """Return how many hosts fell silent, speak again, or are claimed by two, since the last call; their zones were
    looked at anew.
    """
    now = timezone.now()
    if not any(_changes(now)) and not claims_to_note(now).exists():
        return 0
    return _note_changes(now)


@transaction.atomic(durable=True)
def _note_changes(now: datetime) -> int:
    fallen, back = _changes(now)
    # another control worker may be at the same: its rows are there already, and the zones are looked at twice
    SilentHost.objects.bulk_create(
        [SilentHost(host_id=host, noted_at=now) for host in sorted(fallen)], ignore_conflicts=True
    )
    SilentHost.objects.filter(host__in=back).delete()
    claimed = take_noted(now)
    touched = _zones_of(fallen | back | claimed)
    if touched:
        with events_last():
            for path in settings.ZONES_TOUCHED:
                import_string(path)(touched, now)
    return len(fallen | back | claimed)


def _changes(now: datetime) -> tuple[set[int], set[int]]:
    """Return the hosts that fell silent, and those that speak again or were retired, since they were noted."""
    silent = set(silent_hosts(now).values_list("pk", flat=True))
    noted = set(SilentHost.objects.values_list("host", flat=True))
    return silent - noted, noted - silent


def _zones_of(hosts: set[int]) -> set[UUID]:
    rows = Placement.objects.filter(host__in=sorted(hosts), gone_at=None)
    return set(rows.order_by().values_list("zone", flat=True))
