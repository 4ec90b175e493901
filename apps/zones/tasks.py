"""Reconcilers: no input, the rows are the work list. Running one twice, or two at once, changes nothing."""

from __future__ import annotations

from typing import Final

from celery import shared_task

from apps.zones import services

NOTE_SILENCE: Final = "apps.zones.note_silent_hosts"


@shared_task(name=NOTE_SILENCE, acks_late=True, ignore_result=True, time_limit=60)  # type: ignore[untyped-decorator]
def note_silent_hosts() -> int:
    """Look anew at the zones of hosts that fell silent or speak again; return how many hosts those are."""
    return services.note_silence()
