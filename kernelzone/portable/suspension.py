"""The suspend image: a guest's memory, sealed under the zone key.

    0 magic "KZSUSP 1" 8 | 8 zone uuid 16 | 24 key id 16 | 40 salt 16 | 56 nonce 13 | 69 zero 3 | 72 ciphertext and tag

The key is derived like that of host data, under an info string of its own: the two never share one.
Source: Oracle documents AES-128-CCM under the zone key and nothing more; the layout is ours.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path
from typing import Final

from kernelzone.hostdata import ccm, key_id
from kernelzone.portable.errors import PortableError
from kernelzone.portable.files import flush_directory, write_whole

LARGEST_BYTES: Final = 65536
_MAGIC: Final = b"KZSUSP 1"
_HEADER: Final = struct.Struct(">8s16s16s16s13s3x")
_PURPOSE: Final = b"kzfleet/suspend/1/aes-128-ccm\x00"


def seal(memory: bytes, *, zone_key: bytes, zone_uuid: bytes) -> bytes:
    """Return the suspend image of `memory`, at most 65 000 bytes. Raises: ValueError."""
    salt, nonce = os.urandom(16), os.urandom(13)
    header = _HEADER.pack(_MAGIC, zone_uuid, key_id(zone_key), salt, nonce)
    key = ccm.derived_key(zone_key, salt=salt, purpose=_PURPOSE + zone_uuid)
    return header + b"".join(ccm.seal(key, nonce, memory, header))


def unseal(image: bytes, *, zone_key: bytes, zone_uuid: bytes) -> bytes:
    """Return the memory in a suspend image. Raises: PortableError SUSPEND_IMAGE, SUSPEND_KEY."""
    if not _HEADER.size + ccm.TAG_BYTES <= len(image) <= LARGEST_BYTES or not image.startswith(_MAGIC):
        raise PortableError("SUSPEND_IMAGE", "the suspend image is not one")
    header = image[: _HEADER.size]
    _, image_zone, image_key_id, salt, nonce = _HEADER.unpack(header)
    if image_zone != zone_uuid:
        raise PortableError("SUSPEND_IMAGE", "the suspend image is another zone's")
    if image_key_id != key_id(zone_key):
        raise PortableError("SUSPEND_KEY", "the suspend image was sealed under another key")
    key = ccm.derived_key(zone_key, salt=salt, purpose=_PURPOSE + zone_uuid)
    sealed = image[_HEADER.size :]
    memory = ccm.unseal(key, nonce, sealed[: -ccm.TAG_BYTES], sealed[-ccm.TAG_BYTES :], header)
    if memory is None:
        raise PortableError("SUSPEND_IMAGE", "the suspend image is damaged")
    return memory


def store(path: Path, image: bytes) -> None:
    """Put the suspend image in its place, durably, readable by its owner alone. Raises: OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_whole(fd, image)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(temporary, path)
    flush_directory(path.parent)


def digest_of(path: Path) -> bytes | None:
    """Return the 32-byte digest of the suspend image at `path`, None when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
