"""The one fault of host data, and every code it can carry."""

from __future__ import annotations

from typing import Final

CODES: Final = {
    "HD_LENGTH": "a slot is exactly 4096 bytes",
    "HD_MAGIC": "the slot does not begin with KZHDATA1",
    "HD_CHECKSUM": "the slot is torn or rotten",
    "HD_SUITE": "the slot is of a version, suite or header length that is not ours",
    "HD_SLOT": "the slot was written for the other position",
    "HD_ZONE": "the slot belongs to another zone",
    "HD_KEYID": "the slot was written under another key",
    "HD_HEADER": "the slot's header contradicts itself or is at its limit",
    "HD_PADDING": "bytes that must be zero are not",
    "HD_TAG": "the slot does not authenticate under the zone's key",
    "HD_RECORD": "the record is not well formed",
    "HD_UNSTABLE": "the slots changed while they were read",
    "HD_LOST_WRITE": "the device confirmed a write that it did not keep",
    "HD_IO": "the device could not be read or written",
    "HD_BUSY": "another action of this host holds the zone's lock",
    "HD_JOURNAL": "the journal of a claim is damaged",
    "HD_NOT_CLEAN": "the host data is not in the state this change needs",
    "HD_NOT_BLANK": "the region is not empty",
    "ROLLBACK": "the host data is older than what was seen before",
    "KEY_LENGTH": "a zone key is exactly 16 bytes",
}


class HostDataError(ValueError):
    """Host data that cannot be used, or could not be reached. `code` is one of CODES and stable."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        self.message = message or CODES[code]
        super().__init__(f"{code}: {self.message}")
