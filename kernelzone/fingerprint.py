"""Six words for two public keys, which two people compare.

Six words of 2 048 are 66 bits of SHA-256: an attacker in the middle has the minutes of one enrolment to find keys
with the same words, against about 2^66 tries.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from kernelzone.fingerprint_words import WORDS

WORDS_SHOWN: Final = 6
_BITS: Final = 11  # of each word: there are 2 048
_DISTINCT: Final = 4  # letters that tell every two words apart
_PURPOSE: Final = b"kzfleet fingerprint 1\0"
_WORD: Final = re.compile("[a-z]+")


def fingerprint(identity_key: bytes, sealing_key: bytes) -> tuple[str, ...]:
    """Return the six words of an agent's two raw public keys, 32 bytes each."""
    digest = hashlib.sha256(_PURPOSE + identity_key + sealing_key).digest()
    number = int.from_bytes(digest, "big") >> (8 * len(digest) - _BITS * WORDS_SHOWN)
    shifts = range(_BITS * (WORDS_SHOWN - 1), -1, -_BITS)
    return tuple(WORDS[(number >> shift) & (len(WORDS) - 1)] for shift in shifts)


def is_fingerprint(typed: str, words: tuple[str, ...]) -> bool:
    """Return whether somebody typed these words: in either case, between any signs, four letters of each suffice."""
    found = _WORD.findall(typed.lower())
    return len(found) == len(words) and all(
        len(one) >= _DISTINCT and word.startswith(one) for one, word in zip(found, words, strict=True)
    )
