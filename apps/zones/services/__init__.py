"""What agents say about zones, taken in: placements, readings, owners. Called by the ingestion of reports."""

from apps.zones.services.taking import take_inspections, take_probes, take_verbs

__all__ = ["take_inspections", "take_probes", "take_verbs"]
