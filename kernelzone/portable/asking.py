"""Questions to the person at the terminal, before something is destroyed."""

from __future__ import annotations

import sys


def yes(question: str) -> bool | None:
    """Return whether the person said yes; None when standard input is no terminal: nobody was asked."""
    answer = line(question)
    return None if answer is None else answer.lower() in ("y", "yes")


def line(question: str) -> str | None:
    """Return what the person typed, None when standard input is no terminal."""
    if not sys.stdin.isatty():
        return None
    sys.stdout.write(question)
    sys.stdout.flush()
    return sys.stdin.readline().strip()
