"""The name the settings use."""

from apps.base.api import StrictJSONParser

__all__ = ["StrictJSONParser"]
