"""What the output and exit code of a verb prove. What is not recognised whole is UNPARSED, never a guess.

Exit codes of host data errors are in no source, so the text decides; an exit code that contradicts it makes
the outcome UNPARSED. Source: kernel-zones facts 4 and 9; the "must be" wording is illumos'.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from kernelzone.zoneadm.errors import MOST_CHARACTERS
from kernelzone.zoneadm.messages import InUse, parse_in_use
from kernelzone.zonecfg.redaction import redact_output


class OutcomeKind(StrEnum):
    """What became of a verb, as far as its output proves it."""

    DONE = "done"
    IN_USE = "in-use"
    WRONG_KEY = "wrong-key"
    NO_HOST_DATA = "no-host-data"
    ALREADY_BOOTED = "already-booted"
    NOT_CONFIGURED = "not-configured"
    WRONG_STATE = "wrong-state"
    CONFIG_FAILED = "config-failed"
    UNPARSED = "UNPARSED"


class Outcome(NamedTuple):
    """`text` is the output without any key, at most 64 KiB; `in_use` only with kind IN_USE."""

    kind: OutcomeKind
    text: str
    in_use: InUse | None = None


_KEPT_CHARACTERS: Final = 1 << 16
_ZONE: Final = r"'?[A-Za-z0-9][A-Za-z0-9_.-]{0,63}'?"
_REFUSALS: Final = (
    (OutcomeKind.WRONG_KEY, re.compile(rf"(?m)^zone {_ZONE}: error: Encryption key is incorrect\.")),
    (
        OutcomeKind.NO_HOST_DATA,
        re.compile(rf"(?m)^(?:zone {_ZONE}: )?error: could not read host data from any boot device$"),
    ),
    (
        OutcomeKind.ALREADY_BOOTED,
        re.compile(rf"(?m)^(?:zone {_ZONE}: |zoneadm: zone {_ZONE}: )?(?:error: )?zone is already booted$"),
    ),
    (
        OutcomeKind.NOT_CONFIGURED,
        re.compile(rf"(?m)^(?:zoneadm: |zonecfg: )?{_ZONE}: No such zone configured$"),
    ),
    (
        OutcomeKind.WRONG_STATE,
        re.compile(rf"(?m)^zoneadm: zone {_ZONE}: (?:must be \S+ before \S+|is already [a-z ]+)\.$"),
    ),
    (OutcomeKind.CONFIG_FAILED, re.compile(rf"(?m)^zoneadm: zone {_ZONE}: configuration failed:$")),
)
_IN_USE: Final = "is in use by host with"
_STATE_ERROR: Final = re.compile(
    rf"zoneadm: zone {_ZONE}: call to zoneadmd\((?:8|1M)\) failed: zoneadmd\((?:8|1M)\) returned an error 5"
    r" \(operation not allowed in the current zone state\)"
)
_PROGRESS: Final = (
    r"Importing zone configuration(?: on destination)?\.",
    r"Using existing zone configuration(?: on destination)?\.",
    r"Attaching zone\.",
    r"Booting zone in 'migrating-in' mode\.",
    r"Checking migration compatibility\.",
    r"Starting migration\.",
    r"Suspending zone on source host\.",
    r"Waiting for migration to complete\.",
    r"(?:Dry-run m|M)igration successful\.",
    r"(?:Halting and d|D)etaching zone on source host\.",
    r"Cleaning up\.",
    r"Applying the changes",
    r"Checking: (?:Adding|Modifying|Removing) [A-Za-z0-9=. -]+",
)
_KNOWN: Final = re.compile(
    rf"(?:(?:zoneadm: )?zone {_ZONE}: )(?:{'|'.join(_PROGRESS)})"
    r"|Progress being logged to /\S+"
    r"|sysadm: (?:preparing|initializing|evacuating|migrating|returning) [^\n]{1,200}"
    r"|sysadm: (?:(?:evacuation|return) completed successfully\.|dry-run succeeded)"
    rf"|sysadm: {_ZONE}: (?:evacuated to \S+|returned)"
    # of `initialised_message`, which portable zones print: it says what was lost, and that all went well
    rf"|zone {_ZONE}: warning: host data was begun anew: the clock offset and the OpenBoot variables are reset"
    rf"|zone {_ZONE}: warning: the suspend image \S+ is lost: it is sealed under the old key"
)
_INSTALLED: Final = re.compile(r"(?m)^Installation: Succeeded$")
_TROUBLE: Final = re.compile(r"(?i)\b(?:error|failed|fail|cannot|could not|denied|warning|interrupted)\b")


def classify(output: str, exit_code: int | None, *, zone: str | None = None) -> Outcome:
    """Return what `output` (both streams) and `exit_code` prove about a verb on `zone`.

    exit_code: None when the end was not seen. DONE takes exit code 0 and nothing but lines that are known
    from success; a refusal takes another exit code and exactly one kind of message.
    """
    kind, in_use = _kind(output, exit_code)
    if in_use and zone is not None and in_use.zone != zone:
        kind = OutcomeKind.UNPARSED
    return Outcome(kind, _kept(output), in_use if kind is OutcomeKind.IN_USE else None)


def _kind(output: str, exit_code: int | None) -> tuple[OutcomeKind, InUse | None]:
    if exit_code is None or len(output) > MOST_CHARACTERS:
        return OutcomeKind.UNPARSED, None
    if exit_code == 0:
        return (OutcomeKind.DONE if _is_success(output) else OutcomeKind.UNPARSED), None
    in_use = parse_in_use(output)
    kinds = {kind for kind, pattern in _REFUSALS if pattern.search(output)}
    if in_use or _IN_USE in output:
        kinds.add(OutcomeKind.IN_USE if in_use else OutcomeKind.UNPARSED)
    if not kinds and _STATE_ERROR.search(output):
        kinds.add(OutcomeKind.WRONG_STATE)
    return (kinds.pop() if len(kinds) == 1 else OutcomeKind.UNPARSED), in_use


def _is_success(output: str) -> bool:
    if _INSTALLED.search(output):
        return not _TROUBLE.search(output)
    return all(_KNOWN.fullmatch(line.strip()) for line in output.splitlines() if line.strip())


def _kept(output: str) -> str:
    """Return the end of the output, where it says what happened, without any key."""
    if len(output) > MOST_CHARACTERS:
        # The line that the cut splits may be half a key: it goes too.
        output = output[-MOST_CHARACTERS:].partition("\n")[2]
    return redact_output(output)[-_KEPT_CHARACTERS:]
