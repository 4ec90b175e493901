"""The name the settings use."""

from apps.base.api import KeysetPagination

__all__ = ["KeysetPagination"]
