"""A fleet in memory, as the other apps' tests have it."""

from fleet_fixtures import fleet, later, silence_is_over

__all__ = ["fleet", "later", "silence_is_over"]
