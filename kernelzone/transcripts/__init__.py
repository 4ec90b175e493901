"""Transcript bundles: what the commands of a Solaris host printed, without secrets, to test our readers against."""

from kernelzone.transcripts.blanking import Blanked, blank, blank_answer, strings_of, values_of_keys
from kernelzone.transcripts.bundle import (
    Bundle,
    BundleError,
    Transcript,
    manifest_text,
    read_bundle,
    write_bundle,
)
from kernelzone.transcripts.fixture import found_by_readers, secrets_left
from kernelzone.transcripts.pseudonyms import Pseudonyms

__all__ = [
    "Blanked",
    "Bundle",
    "BundleError",
    "Pseudonyms",
    "Transcript",
    "blank",
    "blank_answer",
    "found_by_readers",
    "manifest_text",
    "read_bundle",
    "secrets_left",
    "strings_of",
    "values_of_keys",
    "write_bundle",
]
