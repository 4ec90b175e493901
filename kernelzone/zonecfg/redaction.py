"""Keys taken out of text that need not be a valid command file: live output, logs, echoed configurations.

Rather too much than too little: what may be a key source is left out up to its `end`, comments of a
configuration too, and an end whose beginning was cut off takes all that came before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

REDACTED: Final = "(redacted)"

_BEGIN: Final = re.compile(r"-*BEGIN CONFIGURATION-*")
_END: Final = re.compile(r"-*END CONFIGURATION-*")
_OPENS: Final = re.compile(r"(?i)\b(?:add|select)\s+[\"']?keysource\b")
_CLOSES: Final = re.compile(r"(?i)(?:^|;)\s*(?:end|cancel)\s*(?:;|$)")
_RAW: Final = re.compile(r"(?i)\b(raw[\"']?\s*[=:]\s*)[^\s;,)]+(?:[^\S\n]+[0-9a-f]{2,})*")
_COMMENT: Final = re.compile(r"(?:^|;)\s*#")


def redact_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines without keys, each as soon as it is known: for output that is still being written.

    A line is given without its newline. Lines that are wholly inside a key source are left out.
    """
    closes: re.Pattern[str] | None = None
    for line in lines:
        was_open = closes is not None
        kept, closes = _redact_line(line, closes)
        if kept or not was_open:
            yield kept


def redact_output(text: str) -> str:
    """Return `text` without what stands between BEGIN and END CONFIGURATION, and without key sources."""
    begin, end = _BEGIN.search(text), _END.search(text)
    if end and (begin is None or end.start() < begin.start()):
        text = f"{REDACTED}{text[end.end() :]}"
    return "\n".join(redact_lines(text.split("\n")))


def redact_text(text: str) -> str:
    """Return a command file, valid or not, without key sources and without its comments."""
    kept = (line for line in text.split("\n") if not _COMMENT.search(line))
    return "\n".join(line for line in redact_lines(kept) if line.strip("\r ") != REDACTED)


def _redact_line(line: str, closes: re.Pattern[str] | None) -> tuple[str, re.Pattern[str] | None]:
    """Return (the line without keys, what closes the secret that is open behind it)."""
    kept = ""
    while line:
        if closes is not None:
            end = closes.search(line)
            closes, line = (None, line[end.end() :]) if end else (closes, "")
            continue
        begin, closes = _opening(line)
        if begin is None:
            return kept + _RAW.sub(rf"\1{REDACTED}", line), None
        kept += _RAW.sub(rf"\1{REDACTED}", line[: begin.start()]) + REDACTED
        line = line[begin.end() :]
    return kept, closes


def _opening(line: str) -> tuple[re.Match[str] | None, re.Pattern[str] | None]:
    """Return (where a secret begins in `line`, what closes it)."""
    begin = _BEGIN.search(line)
    return (begin, _END) if begin else (_OPENS.search(line), _CLOSES)
