"""What follows when hosts were inspected and are as they were: it was seen again, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import F
from django.utils.module_loading import import_string

from apps.fleet.models import Host
from apps.zones.models import Placement, Sighting
from apps.zones.services.placements import _ACTIVE, _active_twice


def confirm_hosts(hosts: Sequence[Host], now: datetime) -> None:
    """Every placement and sighting in the state of these hosts is confirmed; a zone active twice is looked at again.

    In a number of statements that grows with neither hosts nor zones.
    """
    ids = [host.pk for host in hosts]
    present = Placement.objects.filter(host__in=ids, gone_at=None)
    present.update(last_seen_at=now)
    # what the whole state did not tell of, since it could not be read or was put aside, was not seen again either
    in_state = Sighting.objects.filter(host__in=ids, confirmed_at__gte=F("host__state_taken_at"))
    in_state.update(confirmed_at=now)
    active = set(present.filter(state__in=_ACTIVE).order_by().values_list("zone", flat=True))
    touched = _active_twice(active)
    if touched:
        for path in settings.ZONES_TOUCHED:
            import_string(path)(touched, now)
