"""Bundles for the tests, made without a host."""

from __future__ import annotations

from kernelzone.transcripts.bundle import Bundle, Manifest, Transcript, transcript

KEY = "6c9b111e4b50ce2fe249395122812a45"
LIST = "-:kzone1:installed:/a\\:b::solaris-kz:excl:R:solaris-kz:\n"


def bundle_of(*texts: tuple[str, str]) -> Bundle:
    """Return a bundle of (kind, text) pairs, each about kzone1."""
    entries = []
    for number, (kind, text) in enumerate(texts, 1):
        about = Transcript("", kind, "kzone1", ("zoneadm", "list"), 0, "", 0, "", 0)
        entries.append((transcript(number, about, text), text))
    manifest = Manifest(1, "kzfleet 0", 1_700_000_000, "11.4", False, tuple(one for one, _ in entries))
    return Bundle(manifest, {one.name: text for one, text in entries})
