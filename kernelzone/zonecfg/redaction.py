"""Keys taken out of text that need not be a valid command file: live output, logs, echoed configurations.

Rather too much than too little: what may be a key source is left out up to its end, comments of a configuration too,
and an end whose beginning was cut off takes all that came before it. Time grows with the length of the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

REDACTED: Final = "(redacted)"

# The look-behind lets a run of dashes be tried once, not once from each of its dashes.
_BEGIN: Final = re.compile(r"(?<!-)-*BEGIN CONFIGURATION-*")
_END: Final = re.compile(r"(?<!-)-*END CONFIGURATION-*")
# One pattern for all that opens a secret: a line is searched once, however many secrets are in it.
_OPENS: Final = re.compile(
    rf"(?P<echo>{_BEGIN.pattern})"
    r"|(?P<command>\b(?i:add|select)\s+[\"']?(?i:keysource)\b)"
    r"|(?P<info>^(?i:keysource)\b[^:=]{0,20}:)"
    r"|(?P<archive><(?i:keysource)\b)"
)
_CLOSES: Final = {
    "echo": _END,
    "command": re.compile(r"(?i)(?:^|;)\s*(?:end|cancel)\s*(?:;|$)"),
    "info": re.compile(r"^(?=\S)"),  # the next line that is not indented
    "archive": re.compile(r"(?i)/>|</keysource>"),
}
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
    return "\n".join(redact_lines(_whole_echoes(text).split("\n")))


def redact_text(text: str) -> str:
    """Return a command file, valid or not, without key sources and without its comments."""
    kept = (line for line in _whole_echoes(text).split("\n") if not _COMMENT.search(line))
    return "\n".join(line for line in redact_lines(kept) if line.strip("\r ") != REDACTED)


def _whole_echoes(text: str) -> str:
    """Return `text` without an echoed configuration of which only the end is there."""
    begin, end = _BEGIN.search(text), _END.search(text)
    is_cut = end is not None and (begin is None or end.start() < begin.start())
    return f"{REDACTED}{text[end.end() :]}" if end and is_cut else text


def _redact_line(line: str, closes: re.Pattern[str] | None) -> tuple[str, re.Pattern[str] | None]:
    """Return (the line without keys, what closes the secret that is open behind it)."""
    kept: list[str] = []
    at = 0
    while at < len(line):
        if closes is not None:
            end = closes.search(line, at)
            if end is None:
                break
            at, closes = end.end(), None
            continue
        begin = _OPENS.search(line, at)
        kept.append(_RAW.sub(rf"\1{REDACTED}", line[at : begin.start() if begin else len(line)]))
        if begin is None:
            break
        kept.append(REDACTED)
        at, closes = begin.end(), _CLOSES[str(begin.lastgroup)]
    return "".join(kept), closes
