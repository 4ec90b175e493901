"""Small files that are either the old or the new ones, whatever dies in between."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kernelzone.portable.errors import PortableError

_CHUNK_BYTES: Final = 64 * 1024
# A file that changes twice within one tick of the file system's clock may look like itself; one this old cannot.
_SETTLED_NS: Final = 2 * 10**9
_MOST_KNOWN: Final = 200_000
# path -> what stat says of the file, and what was in it
_known: dict[str, tuple[tuple[int, ...], bytes]] = {}


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Put `text` in the place of `path`, durably: a reader sees the old file or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_whole(fd, text.encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    os.replace(temporary, path)
    flush_directory(path.parent)


def write_whole(fd: int, content: bytes) -> None:
    """Write all of `content`: where room ends, a write may do a part of it and not complain. Raises: OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def write_json(path: Path, value: dict[str, Any], *, mode: int = 0o644) -> None:
    """Put `value` in the place of `path`, durably."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n", mode=mode)


def read_bytes(path: str) -> bytes:
    """Return a small file whole: the very object of the last time while the file is the same.

    An inspection asks for thousands of files that nobody has touched. The same: inode, size and both times, none of
    them so young that a second change could hide behind the first. Raises: OSError.
    """
    known = _known.get(path)
    if known is not None and known[0] == _identity(os.stat(path)):
        return known[1]
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        content = _whole(fd)
    finally:
        os.close(fd)
    _remember(path, found, content)
    return content


def _whole(fd: int) -> bytes:
    content = os.read(fd, _CHUNK_BYTES)
    if len(content) == _CHUNK_BYTES:
        while more := os.read(fd, _CHUNK_BYTES):
            content += more
    return content


def _remember(path: str, found: os.stat_result, content: bytes) -> None:
    if time.time_ns() - max(found.st_ctime_ns, found.st_mtime_ns) < _SETTLED_NS:
        _known.pop(path, None)
        return
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[path] = (_identity(found), content)


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read_json(path: str | Path) -> dict[str, Any]:
    """Return the object in `path`. Raises: PortableError FILE when it holds anything else; FileNotFoundError."""
    return parse_json(read_bytes(os.fspath(path)), os.path.basename(path))


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """Return the object in the `content` of a file called `name`. Raises: PortableError FILE."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PortableError("FILE", f"{name} is not JSON; restore it from a copy") from error
    if not isinstance(value, dict):
        raise PortableError("FILE", f"{name} holds no JSON object; restore it from a copy")
    return value


def flush_directory(directory: Path) -> None:
    """Make names that were added to or removed from `directory` last through a power loss."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file `path` while the block runs. Raises: PortableError BUSY when `wait` is False and it is held.

    The lock ends with the process, so a crash leaves none behind.
    """
    with _opened(path) as fd:
        if not _lock(fd, wait):
            raise PortableError("BUSY", "another command is working on this zone")
        yield


@contextmanager
def try_held(path: Path) -> Iterator[bool]:
    """Yield whether the lock file `path` is held while the block runs; False when somebody else holds it."""
    with _opened(path) as fd:
        yield _lock(fd, wait=False)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int, wait: bool) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
