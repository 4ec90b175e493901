"""Identifiers: `uuid7` under the name the apps use."""

from kernelzone.ids import uuid7

__all__ = ["uuid7"]
