"""What a portable host refuses, beside the outcomes of its verbs."""

from __future__ import annotations


class PortableError(ValueError):
    """A host directory, storage or zone that cannot be used as asked. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
