"""Keys taken out of output while its form stays: which lines a key source has is what nobody has published.

Three nets, one behind the other. A key source keeps the names of its properties and loses every value. What else may
hold a key is left out as `redact_output` leaves it out. Whatever still looks like one, 32 hex digits or more or base64,
is overwritten with zeros, unless it is the id of a disk or a uuid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kernelzone.zonecfg import redact_output

# At most 40 lines, so that a text of nothing but beginnings takes no longer than another.
_COMMANDS: Final = re.compile(
    r"(?im)^[ \t]*(?:add|select)[ \t]+keysource[ \t]*\r?\n(?:.*\n){0,40}?[ \t]*(?:end|cancel)[ \t]*\r?$"
)
_SHOWN: Final = re.compile(r"(?im)^keysource(?: \d{1,3})?:[ \t]*\r?$(?:\n[ \t]+\S.*$){0,40}")
_ASSIGNMENT: Final = re.compile(r"(?i)([ \t]*(?:set[ \t]+)?[a-z][a-z-]{0,14}[ \t]*[=:][ \t]*)(\S.*?)([ \t\r]*)\Z")
_SAYS_NOTHING: Final = re.compile(r"(?i)[ \t]+[a-z][a-z-]{0,14} (?:redacted|not specified)[ \t\r]*\Z")
_FRAME: Final = re.compile(r"(?i)[ \t]*(?:(?:add|select)[ \t]+keysource|end|cancel|keysource(?: \d{1,3})?:)[ \t\r]*\Z")
_RAW: Final = re.compile(r"(?i)\braw[\"']?\s*[=:]\s*[\"']?([^\s;,)\"']{8,})")
_HEX: Final = re.compile(r"(\"?)(?:0x)?[0-9a-fA-F]+\1\Z")
_LONG_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{2}[ :-]?){16,}(?![0-9A-Za-z])")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[ :-]?\Z")
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{21,}={1,2}")
_DISK: Final = re.compile(r"(?i)(?:naa\.|eui\.|\bc\d{1,3}t|\bw)\Z")
_LEFT_OUT: Final = "# (left out: part of a key source)"
_HELD: Final = "\x00"


class Blanked(NamedTuple):
    """Text without keys, and in how many places something was blanked or left out."""

    text: str
    places: int


def blank(text: str) -> Blanked:
    """Return `text` without any key."""
    sources: list[str] = []

    def hold(found: re.Match[str]) -> str:
        sources.append("\n".join(_blank_line(line) for line in found[0].split("\n")))
        return f"{_HELD}{len(sources) - 1}{_HELD}"

    held = _SHOWN.sub(hold, _COMMANDS.sub(hold, text.replace(_HELD, "")))
    kept = redact_output(held)
    zeroed, places = _zeroed(kept)
    shown = re.sub(f"{_HELD}([0-9]+){_HELD}", lambda found: sources[int(found[1])], zeroed)
    return Blanked(shown, places + len(sources) + (kept != held))


def blank_answer(text: str) -> Blanked:
    """Return an output without any key; in JSON each string is blanked by itself, so that it stays JSON."""
    value = _answered(text)
    if value is None:
        return blank(text)
    places = sum(blank(one).places for one in _strings(value))
    return Blanked(json.dumps(_each_string(value), indent=1) + "\n", places)


def strings_of(text: str) -> list[str]:
    """Return every string of an output in JSON, names of fields too; one in no such form is itself the only one."""
    value = _answered(text)
    return [text] if value is None else list(_strings(value))


def _answered(text: str) -> Any:
    try:
        return json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _each_string(value: Any) -> Any:
    if isinstance(value, str):
        return blank(value).text
    if isinstance(value, dict):
        return {blank(name).text: _each_string(item) for name, item in value.items()}
    return [_each_string(item) for item in value] if isinstance(value, list) else value


def values_of_keys(text: str) -> set[str]:
    """Return every value that stands in a key source, without quotes: what no file of a bundle may hold."""
    blocks = [*_COMMANDS.finditer(text), *_SHOWN.finditer(text)]
    lines = (line for block in blocks for line in block[0].split("\n"))
    values = {found[2].strip("\"'") for found in map(_ASSIGNMENT.match, lines) if found}
    return {value for value in values | {found[1] for found in _RAW.finditer(text)} if len(value) >= 8}


def _blank_line(line: str) -> str:
    """Return a line of a key source with its value blanked; digits stay as many, for their number tells the form."""
    if _FRAME.match(line) or _SAYS_NOTHING.match(line) or not line.strip():
        return line
    found = _ASSIGNMENT.match(line)
    if found is None:
        return _LEFT_OUT
    value = re.sub(r"[0-9a-fA-F](?!x)", "0", found[2]) if _HEX.match(found[2]) else "xxxxxxxx"
    return f"{found[1]}{value}{found[3]}"


def _zeroed(text: str) -> tuple[str, int]:
    """Return `text` with what looks like a key overwritten, and how often that was."""
    places = 0

    def zeros(found: re.Match[str]) -> str:
        nonlocal places
        if _UUID.match(found[0]) or _DISK.search(text, max(0, found.start() - 8), found.start()):
            return found[0]
        places += 1
        return re.sub(r"[0-9A-Za-z+/]", "0", found[0])

    text = _LONG_HEX.sub(zeros, text)
    return _BASE64.sub(zeros, text), places
