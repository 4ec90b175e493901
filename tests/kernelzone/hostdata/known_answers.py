"""The known answers of format KZHD 1 (tests/data/kzhd) and small builders that every test here shares."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from uuid import UUID

from kernelzone.hostdata import HostDataState, Record, encode_slot

DATA = Path(__file__).parents[2] / "data"
VECTORS = json.loads((DATA / "kzhd" / "vectors.json").read_text())
ZONE_KEY = bytes.fromhex(VECTORS["zone_key"])
ZONE_UUID = UUID(VECTORS["zone_uuid"])
AGENT = UUID(VECTORS["agent"])
RECORD_41 = bytes.fromhex(VECTORS["record_41"]["plaintext"])
OF_ZONE = {"zone_key": ZONE_KEY, "zone_uuid": ZONE_UUID}


def images(region_name: str) -> tuple[bytes, bytes]:
    """Return both slot images of a region of the known answers."""
    region = next(r for r in VECTORS["regions"] if r["name"] == region_name)
    return base64.b64decode(region["A"]), base64.b64decode(region["B"])


def record(**fields) -> Record:
    """Return a small valid record, with `fields` changed."""
    usual = {
        "state": HostDataState.INSTALLED,
        "owner_hostid": "848611d4",
        "owner_hostname": "global2",
        "owner_agent": AGENT,
        "updated_at": 1397419693,
        "incarnation": bytes(range(16)),
    }
    return Record(**{**usual, **fields})


def slot_image(a_record: Record, *, slot: int, generation: int) -> bytes:
    """Return an image of the known zone with fixed salt and nonce."""
    fixed = {"salt": bytes(16), "nonce_random": bytes(4)}
    return encode_slot(a_record, slot=slot, generation=generation, agent=AGENT, **OF_ZONE, **fixed)


def pair(a_record: Record, generation: int) -> tuple[bytes, bytes]:
    """Return both images of a committed record."""
    a, b = (slot_image(a_record, slot=slot, generation=generation) for slot in (0, 1))
    return a, b


def mended(image: bytes) -> bytes:
    """Return `image` with the checksum that fits what it holds."""
    return image[:4064] + hashlib.sha256(image[:4064]).digest()


def changed(image: bytes, offset: int, value: bytes) -> bytes:
    """Return `image` with `value` at `offset`, the checksum mended."""
    return mended(image[:offset] + value + image[offset + len(value) :])
