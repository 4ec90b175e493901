"""What reading a command file refuses."""

from __future__ import annotations


class ZoneCfgError(ValueError):
    """A command file or command that is refused. `code` is `ZONECFG_*`.

    `line` counts from 1 (0: it concerns the whole). The message never repeats the line: it may hold a key.
    """

    def __init__(self, code: str, message: str, line: int = 0) -> None:
        super().__init__(f"{message} (line {line})" if line else message)
        self.code = code
        self.message = message
        self.line = line
