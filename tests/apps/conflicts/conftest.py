"""The fleet of the forced actions' tests: global2 holds kzone1, which global1 wants."""

from fleet_fixtures import fleet, later, silence_is_over

__all__ = ["fleet", "later", "silence_is_over"]
