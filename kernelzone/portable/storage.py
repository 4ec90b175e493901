"""Where the storage URIs of a portable host lead: image files and block devices.

`file:` and `dev:` name a path on this machine, but ZFS volumes (`dev:zvol/...`) are files of the host alone. What
hosts reach over a network is a file in the storage directory they share: a logical unit is `naa.X` there, whether it
is named `lu:luname.naa.X`, `iscsi://HOST/luname.naa.X` or `dev:dsk/c0tXd0`; `nfs://HOST/PATH` is `nfs/HOST/PATH`.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from kernelzone import suri
from kernelzone.portable.errors import PortableError

DEFAULT_BYTES: Final = 16 * 1024 * 1024
SMALLEST_BYTES: Final = 2 * 1024 * 1024
_VOLUME: Final = re.compile(r"/dev/zvol/r?dsk/(.+)\Z")


@lru_cache(maxsize=4096)
def path_of(uri: str, storage: Path, volumes: Path) -> Path:
    """Return the file or device `uri` names, in the shared directory `storage` when it is on the network.

    volumes: the directory of the host's own ZFS volumes.

    Raises: SuriError; PortableError NO_STORAGE for an iscsi target without a luname.
    """
    parsed = suri.parse(uri)
    found = _VOLUME.match(parsed.path or "") if parsed.type is suri.SuriType.DEV else None
    if found:
        return volumes / found[1]
    for device_id in suri.device_ids(uri):
        return storage / device_id
    if parsed.type is suri.SuriType.NFS:
        return storage / "nfs" / str(parsed.host) / str(parsed.path).lstrip("/")
    if parsed.path:
        return Path(parsed.path)
    raise PortableError("NO_STORAGE", "portable hosts find iscsi storage by luname only")


def is_volume(uri: str) -> bool:
    """Return whether `uri` names a ZFS volume, which install makes where it is missing. Raises: SuriError."""
    parsed = suri.parse(uri)
    return parsed.type is suri.SuriType.DEV and bool(_VOLUME.match(parsed.path or ""))


def create(path: Path, size_bytes: int = DEFAULT_BYTES) -> None:
    """Make a new boot storage at `path`: an image file of zeros that takes no room until it is written.

    Raises: PortableError STORAGE_SIZE, STORAGE_EXISTS.
    """
    if size_bytes < SMALLEST_BYTES:
        raise PortableError("STORAGE_SIZE", f"boot storage has at least {SMALLEST_BYTES} bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise PortableError("STORAGE_EXISTS", f"{path} is there already") from None
    try:
        os.ftruncate(fd, size_bytes)
    finally:
        os.close(fd)
