"""Commands of `zonecfg` as words: one tuple of words a command, with the line it stands on.

Newline or `;` ends a command, `#` starts a comment only where a command may begin, a quoted string ends at the
next quote or newline and knows no escape. The value of `set NAME=VALUE` is taken whole, up to a blank, so that
`=`, `(` and `[` inside a storage URI or boot arguments do no harm.
Source: illumos zonecfg_lex.l and zonecfg_grammar.y; a carriage return before a newline is dropped.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kernelzone.zonecfg.errors import ZoneCfgError
from kernelzone.zonecfg.model import Complex, Value, ValueList

MOST_BYTES: Final = 256 * 1024

_BLANK: Final = " \t"
_WORD: Final = re.compile(r'[^ \t\n";=\[\]()]+')
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}\Z")
_BARE_VALUE: Final = re.compile(r'[^ \t\n";]+')
_PIECE: Final = re.compile(r'[^ \t\n",;=\[\]()]+')
_QUOTED: Final = re.compile(r'"([^"\n]*)(?:"|(?=\n)|\Z)')
# What an export has most of, whole lines of it; anything else takes the longer way, to the same commands.
_PLAIN: Final = re.compile(
    r"(?:set ([A-Za-z][A-Za-z0-9_.:-]{0,63})=([^ \t\n\";=\[\]()]+)|(add) ([A-Za-z][A-Za-z0-9_.:-]{0,63})|(end))\n"
)
_KEY_COMMENT: Final = re.compile(r"(?i)\braw\s*=\s*\"?[0-9a-f]|\bkeysource\b")


class Command(NamedTuple):
    """One command: its words, its pairs NAME=VALUE, and the values that are quoted, lists or complex."""

    line: int
    words: tuple[str, ...]
    pairs: tuple[tuple[str, Value], ...]
    values: tuple[Value, ...] = ()


def checked_text(text: str | bytes) -> str:
    """Return `text` with plain newlines.

    Raises: ZoneCfgError ZONECFG_SIZE past 256 KiB, ZONECFG_BINARY for anything but text in UTF-8.
    """
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > MOST_BYTES:
        line = raw.count(b"\n", 0, MOST_BYTES) + 1
        raise ZoneCfgError("ZONECFG_SIZE", "a command file has at most 256 KiB", line)
    try:
        plain = raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as bad:
        raise _binary(raw[: bad.start].count(b"\n") + 1) from None
    if plain.replace("\n", "").replace("\t", "").isprintable():
        return plain
    for at, character in enumerate(plain):
        if not character.isprintable() and character not in "\t\n":
            raise _binary(plain.count("\n", 0, at) + 1)
    return plain


def read_commands(text: str | bytes) -> tuple[Command, ...]:
    """Return the commands of `text`, in order.

    Raises: ZoneCfgError ZONECFG_SIZE, ZONECFG_BINARY, ZONECFG_SYNTAX, ZONECFG_KEY_COMMENT.
    """
    return tuple(_Reader(checked_text(text)).commands())


class _Reader:
    """Where reading has come to in the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def commands(self) -> list[Command]:
        found: list[Command] = []
        while self._at < len(self._text):
            if (plain := _PLAIN.match(self._text, self._at)) is not None:
                found.append(self._plain_command(plain))
            elif self._peek() == "#":
                self._skip_comment()
            elif self._peek() in " \t;\n":
                self._step()
            else:
                found.append(self._command())
        return found

    def _plain_command(self, found: re.Match[str]) -> Command:
        """Return the command of one plain line, and step over it with its newline."""
        name, value, add, added, end = found.groups()
        line = self._line
        self._at = found.end()
        self._line += 1
        return Command(line, ("set",), ((name, value),)) if name else Command(line, (end,) if end else (add, added), ())

    def _command(self) -> Command:
        line = self._line
        words: list[str] = []
        pairs: list[tuple[str, Value]] = []
        values: list[Value] = []
        while (character := self._peek()) not in ("", ";", "\n"):
            if character in _BLANK:
                self._step()
            elif character in '(["':
                values.append(self._value())
            else:
                word = self._take(_WORD)
                if self._after_blanks("="):
                    pairs.append((self._name(word), self._value()))
                else:
                    words.append(word)
        if not words:
            raise self._syntax()
        return Command(line, tuple(words), tuple(pairs), tuple(values))

    def _value(self) -> Value:
        while self._peek() and self._peek() in _BLANK:
            self._step()
        if self._peek() == "[":
            return self._list()
        if self._peek() == "(":
            return self._complex()
        return self._quoted() if self._peek() == '"' else self._take(_BARE_VALUE)

    def _list(self) -> ValueList:
        self._expect("[")
        items: list[str | Complex] = []
        while not self._after_blanks("]"):
            if items:
                self._expect(",")
            self._after_blanks("")
            items.append(self._complex() if self._peek() == "(" else self._piece())
        return ValueList(tuple(items))

    def _complex(self) -> Complex:
        self._expect("(")
        pairs: list[tuple[str, str]] = []
        while not self._after_blanks(")"):
            if pairs:
                self._expect(",")
            name = self._name(self._take_after_blanks(_PIECE))
            self._expect("=")
            pairs.append((name, self._piece()))
        return Complex(tuple(pairs))

    def _piece(self) -> str:
        self._after_blanks("")
        return self._quoted() if self._peek() == '"' else self._take(_PIECE)

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise self._syntax()
        self._at = found.end()
        return found[1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._syntax()
        self._at = found.end()
        return found[0]

    def _take_after_blanks(self, pattern: re.Pattern[str]) -> str:
        self._after_blanks("")
        return self._take(pattern)

    def _after_blanks(self, wanted: str) -> bool:
        """Step over blanks, then over `wanted` if it is there; say whether it was."""
        while self._peek() and self._peek() in _BLANK:
            self._step()
        if not wanted or self._peek() != wanted:
            return False
        self._step()
        return True

    def _expect(self, wanted: str) -> None:
        if not self._after_blanks(wanted):
            raise self._syntax()

    def _name(self, word: str) -> str:
        if not NAME.match(word):
            raise self._syntax()
        return word

    def _skip_comment(self) -> None:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        if _KEY_COMMENT.search(self._text, self._at, end):
            raise ZoneCfgError("ZONECFG_KEY_COMMENT", "a key source in a comment is not read", self._line)
        self._at = end

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _step(self) -> None:
        self._line += self._peek() == "\n"
        self._at += 1

    def _syntax(self) -> ZoneCfgError:
        return ZoneCfgError("ZONECFG_SYNTAX", "syntax error", self._line)


def _binary(line: int) -> ZoneCfgError:
    return ZoneCfgError("ZONECFG_BINARY", "a command file is text in UTF-8", line)
