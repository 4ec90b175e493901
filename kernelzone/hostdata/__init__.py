"""Host data: who uses a zone, sealed on its boot storage (format KZHD 1). How: docs/mechanisms/claim.md."""

from kernelzone.hostdata.block import (
    LAST_GENERATION,
    SLOT_A,
    SLOT_B,
    SLOT_BYTES,
    Slot,
    SlotHeader,
    decode_slot,
    encode_slot,
    key_id,
    peek_header,
)
from kernelzone.hostdata.change import (
    ClaimOutcome,
    ExpectedRegion,
    change_host_data,
    erase_host_data,
    initialise_host_data,
    recover_host_data,
    repairable_slot,
    watch_host_data,
)
from kernelzone.hostdata.claim import Intent, Outcome
from kernelzone.hostdata.device import Device
from kernelzone.hostdata.errors import CODES, HostDataError
from kernelzone.hostdata.journal import ClaimJournal, FileJournal, zone_lock
from kernelzone.hostdata.record import (
    NO_DIGEST,
    RECORD_BYTES,
    HostDataState,
    Record,
    RecordFlags,
    record_digest,
)
from kernelzone.hostdata.region import (
    REGION_BYTES,
    SLOT_OFFSETS,
    Region,
    RegionStatus,
    doubts,
    raw_digest,
    read_region,
    verified_generation,
)

__all__ = [
    "CODES",
    "LAST_GENERATION",
    "NO_DIGEST",
    "RECORD_BYTES",
    "REGION_BYTES",
    "SLOT_A",
    "SLOT_B",
    "SLOT_BYTES",
    "SLOT_OFFSETS",
    "ClaimJournal",
    "ClaimOutcome",
    "Device",
    "ExpectedRegion",
    "FileJournal",
    "HostDataError",
    "HostDataState",
    "Intent",
    "Outcome",
    "Record",
    "RecordFlags",
    "Region",
    "RegionStatus",
    "Slot",
    "SlotHeader",
    "change_host_data",
    "decode_slot",
    "doubts",
    "encode_slot",
    "erase_host_data",
    "initialise_host_data",
    "key_id",
    "peek_header",
    "raw_digest",
    "read_region",
    "record_digest",
    "recover_host_data",
    "repairable_slot",
    "verified_generation",
    "watch_host_data",
    "zone_lock",
]
