"""What the last attach proves, as a reading. Solaris shows host data to nobody: what it said is all there is.

attach was refused: in use          IN_USE, the record is that of the six fields
attach was done, the zone is here   IN_USE, the record names this host: that is what an attach does
attach was refused: wrong key       UNREADABLE, KEY_UNKNOWN
attach was refused: no host data    UNREADABLE
anything else, or never attached    HIDDEN: nothing is known, and nothing is guessed
"""

from __future__ import annotations

import calendar
import hashlib
import secrets
import time
from dataclasses import replace
from typing import Final
from uuid import UUID

from kernelzone import strict, words
from kernelzone.facts import BootDevice, ReadingFacts, RecordFacts, RegionStatus
from kernelzone.states import ZoneState
from kernelzone.words import Digest, WordError
from kernelzone.zoneadm import OutcomeKind, ctime
from kzagent.drivers.solaris.port import ListedPlacement
from kzagent.drivers.solaris.remembered import AttachSaid

_UNREADABLE: Final = frozenset({str(OutcomeKind.WRONG_KEY), str(OutcomeKind.NO_HOST_DATA)})
NOT_HERE: Final = frozenset({str(ZoneState.CONFIGURED), str(ZoneState.UNAVAILABLE)})
_LONGEST_NAME: Final = 64


def reading_of(listed: ListedPlacement, device: BootDevice, said: AttachSaid | None, now: int) -> ReadingFacts:
    """Return the reading of one boot storage; `said`: the last attach of the zone, None when none is known.

    A refusal tells nothing any more once the zone is here; an attach that was done, none once it has gone.
    """
    said = said if said and (said.kind == str(OutcomeKind.DONE)) == (listed.state not in NOT_HERE) else None
    record = _record(said, listed.state) if said else None
    status = _status(said, record)
    is_known = said is not None and status is not RegionStatus.HIDDEN
    wrong_key = said is not None and said.kind == str(OutcomeKind.WRONG_KEY)
    digest = _digest(said) if said is not None and is_known else None
    return ReadingFacts(
        nonce=secrets.token_hex(16),
        zone=listed.name,
        at=said.at if said is not None and is_known else now,
        device=device.uri,
        device_ids=device.device_ids,
        status=status,
        generation=0,
        zone_uuid=None,
        raw_sha256=digest,
        record_sha256=digest if record is not None else None,
        record=record,
        claim=None,
        key_ids=(),
        configured_key_id=None,
        slot_errors={},
        warning="KEY_UNKNOWN" if wrong_key else None,
    )


def _status(said: AttachSaid | None, record: RecordFacts | None) -> RegionStatus:
    if record is not None:
        return RegionStatus.IN_USE
    return RegionStatus.UNREADABLE if said and said.kind in _UNREADABLE else RegionStatus.HIDDEN


def _digest(said: AttachSaid) -> Digest:
    """Return the digest of what was said: two refusals with the same six fields have the same."""
    said_again = replace(said, at=0)
    return Digest(hashlib.sha256(strict.canonical(strict.write(said_again))).hexdigest())


def _record(said: AttachSaid, state: str) -> RecordFacts | None:
    """Return the six fields as a record, None when they name no host; what is here is in the state it is listed in."""
    in_use = said.message
    try:
        owner = words.host_id(in_use.owner_hostid) if in_use else None
    except WordError:
        owner = None
    if in_use is None or owner is None:
        return None
    known = state if said.kind == str(OutcomeKind.DONE) else in_use.last_known_state
    return RecordFacts(
        state=known if known in set(ZoneState) else "unknown",
        owner_hostid=owner,
        owner_hostname=in_use.hostname,
        boot_environment=words.shown(in_use.boot_environment_name, _LONGEST_NAME) or None,
        boot_environment_uuid=_uuid(in_use.boot_environment_uuid),
        updated_at=_posix(in_use.last_update_time),
        flags=(said.forced,) if said.forced else (),
        incarnation="",
        warrant_sha256=said.warrant_sha256,
        previous_owner_hostid=said.previous_owner_hostid,
        previous_owner_hostname=said.previous_owner_hostname,
        is_suspended=False,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return words.canonical_uuid(text)
    except WordError:
        return None


def _posix(text: str) -> int:
    """Return the time that `ctime` prints as `text` in UTC, 0 when there is none.

    The message names no time zone: taken for UTC it is shown again as the very text Solaris printed.
    """
    try:
        found = calendar.timegm(time.strptime(text, "%a %b %d %H:%M:%S %Y"))
    except ValueError:
        return 0
    return found if found >= 0 and ctime(found) == text else 0
