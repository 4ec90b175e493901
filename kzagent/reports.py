"""Reports: what the agent says, signed by it, kept in the outbox until the site holds it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from kernelzone import envelope, strict
from kernelzone.orders import (
    FINAL_REPORT_STATES,
    MAX_REPORT_BYTES,
    REPORT_TYPE,
    Progress,
    Report,
    ReportState,
    read_report,
)
from kernelzone.words import HostId, shown
from kzagent.clock import Clock
from kzagent.identity import Settings
from kzagent.identity_key import IdentityKey
from kzagent.journal import Journal
from kzagent.wakeup import Wakeup

logger = logging.getLogger(__name__)

# An envelope is a third larger than its payload, and a batch of one must fit the 8 MiB the site takes.
MAX_PAYLOAD_BYTES: Final = 6 * 1000 * 1000
MAX_LINE: Final = 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be reported. `lines` are new ones only; `result` is a dataclass of kernelzone.orders or None."""

    state: ReportState
    code: str
    owner_hostid: HostId | None = None
    progress: Progress | None = None
    lines: tuple[str, ...] = ()
    result: Any = None
    high_water: dict[str, int] | None = None


class Reports:
    """Signs what is said, in the order in which it is said."""

    def __init__(self, settings: Settings, key: IdentityKey, journal: Journal, clock: Clock) -> None:
        self._settings = settings
        self._key = key
        self._journal = journal
        self._clock = clock
        self.new = Wakeup()

    def say(self, said: Said, order: UUID | None = None) -> int:
        """Return the number of the report, which is kept for sending; a final one ends the order.

        Raises: JournalError.
        """
        is_final = order is not None and said.state in FINAL_REPORT_STATES
        said = _written(said)  # before the journal is held: others wait for it
        seq = self._journal.add_report(
            lambda epoch, seq: self._signed(self._report(said, order, epoch, seq)),
            order=order,
            is_final=is_final,
            now=self._clock.now(),
        )
        self.new.wake()
        return seq

    def alarm(self, said: Said, order: UUID) -> int:
        """Return the number of a report about `order` that does not become its last report. Raises: JournalError."""
        said = _written(said)
        seq = self._journal.add_report(
            lambda epoch, seq: self._signed(self._report(said, order, epoch, seq)),
            order=None,
            is_final=False,
            now=self._clock.now(),
        )
        self.new.wake()
        return seq

    def sign_again(self, old: bytes, epoch: str, seq: int) -> bytes:
        """Return the report in the envelope `old`, one of this agent's own, under another epoch and number."""
        return self._signed(replace(read_report(self._own_payload(old)), epoch=epoch, seq=seq))

    def signed_now(self, old: bytes) -> bytes:
        """Return the same report, signed by the present key: the one before is believed for a day only."""
        key = self._key.current()
        if envelope.key_id(envelope.raw_public_key(key)).encode("ascii") in old:
            return old
        return envelope.sign(self._own_payload(old), payload_type=REPORT_TYPE, key=key)

    def _own_payload(self, old: bytes) -> bytes:
        keys = self._key.public_keys()  # it may have been signed before the key was rotated
        return envelope.verify(old, payload_type=REPORT_TYPE, keys=keys, max_payload_bytes=MAX_REPORT_BYTES).payload

    def begin_epoch(self, why: str) -> None:
        """Begin a new epoch: open warrants find their readings closed."""
        epoch = self._journal.begin_epoch(self.sign_again)
        logger.error("a new epoch %s begins, all readings are closed: %s", epoch, why)
        self.new.wake()

    def _report(self, said: Said, order: UUID | None, epoch: str, seq: int) -> Report:
        return Report(
            v=1,
            deployment=self._settings.deployment,
            agent=self._settings.agent,
            owner_hostid=said.owner_hostid,
            epoch=epoch,
            seq=seq,
            order=order,
            at=self._clock.now(),
            monotonic_ms=self._clock.monotonic_ms(),
            boot_id=self._clock.boot_id,
            state=said.state,
            progress=said.progress,
            code=said.code,
            lines=tuple(shown(line, MAX_LINE) for line in said.lines),
            result=said.result,
            high_water=said.high_water or {},
        )

    def _signed(self, report: Report) -> bytes:
        payload = _payload(report)
        if len(payload) > MAX_PAYLOAD_BYTES:
            smaller = replace(report, state=ReportState.FAILED, code="REPORT_TOO_LARGE", lines=(), result=None)
            payload = _payload(smaller)
        return envelope.sign(payload, payload_type=REPORT_TYPE, key=self._key.current())


def _written(said: Said) -> Said:
    """Return what is to be said with its result as plain JSON."""
    return said if said.result is None else replace(said, result=strict.write(said.result))


def _payload(report: Report) -> bytes:
    """Return the canonical bytes of `report`, whose result is plain JSON already and need not be walked again."""
    return strict.canonical({**strict.write(replace(report, result=None)), "result": report.result})
