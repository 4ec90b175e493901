"""A fleet in memory, as the other apps' tests have it."""

from fleet_fixtures import fleet

__all__ = ["fleet"]
