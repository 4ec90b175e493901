"""Changes about zones: what agents say is taken in, and safe verbs become jobs."""

from apps.zones.services.moves import evacuate_host, migrate_zone
from apps.zones.services.silence import note_silence
from apps.zones.services.taking import take_inspections, take_probes, take_verbs
from apps.zones.services.verbs import SAFE_VERBS, run_verb

__all__ = [
    "SAFE_VERBS",
    "evacuate_host",
    "migrate_zone",
    "note_silence",
    "run_verb",
    "take_inspections",
    "take_probes",
    "take_verbs",
]
