"""Exported configurations: immutable versions of what hosts say a zone is. Never with a key."""

from __future__ import annotations

from django.db import models

from apps.fleet.models import Host
from apps.zones.models import Zone


class ExportedConfig(models.Model):
    """One version of one placement's configuration; `text` has its key source removed by the agent."""

    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, related_name="configs")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="configs")
    version = models.IntegerField()
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    taken_at = models.DateTimeField()

    class Meta:
        ordering = ["zone", "host", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["zone", "host", "version"], name="config_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.zone} on {self.host}, version {self.version}"
