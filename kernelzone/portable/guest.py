"""A running zone: a process of its own that writes a block to its storage every second.

    python -m kernelzone.portable.guest --storage PATH --zone-uuid UUID ...

It lives on when the command that started it ends. SIGTERM ends it after the block it is writing; SIGUSR1 suspends
it: its memory is sealed under the zone key into the suspend image, then it ends. HAND_OVER does the same for a live
migration, into the file `handover` beside the key. SIGUSR2 makes it panic: it says so on its console and writes no
more, but stays until it is ended. A guest that is resumed reads its memory from standard
input. It ends by itself when its storage is gone, and before its first write when the command
that started it died without the word: nobody would know of it, and the next boot would start a second one.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import time
from typing import Any, Final, NamedTuple

from kernelzone.portable import blocks
from kernelzone.portable.blocks import Block

SUSPENDED_EXIT: Final = 3
HAND_OVER: Final = signal.SIGRTMIN
# The first line of standard input; what follows is the memory of a guest that is resumed.
GO: Final = b"go\n"
PANIC: Final = "panic[cpu0]"
# SIGINT and SIGHUP are for the terminal of the command that booted the zone: blocked, and never asked for.
_SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, HAND_OVER)
_NOT_FOR_US: Final = (signal.SIGINT, signal.SIGHUP)


class Memory(NamedTuple):
    """What a guest must not lose when it is suspended: the last block it wrote, and how long it has run."""

    sequence: int
    previous: bytes
    blocks_written: int


class Guest:
    """One zone's writing, from its memory on."""

    def __init__(self, storage: str, identity: tuple[bytes, bytes, bytes]) -> None:
        self._path = storage
        self._fd = os.open(storage, os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC)
        self._zone_uuid, self._incarnation, self._owner_hostid = identity
        self._name = secrets.token_bytes(16)
        self._place = blocks.SEGMENT_BLOCKS  # the first write takes a segment
        self._segment = 0
        self.memory = Memory(0, blocks.NO_DIGEST, 0)

    def start(self, memory: Memory | None) -> None:
        """Go on from `memory`, or from the newest block on the storage."""
        self._newest = self._newest_of_segments()
        self.memory = memory or self._last_on_storage()

    def write(self) -> None:
        """Write the next block. Raises: OSError when the storage cannot take it or is gone."""
        if os.stat(self._path).st_ino != os.fstat(self._fd).st_ino:
            raise OSError(f"{self._path} was replaced")
        image = blocks.pack(self._next())
        if self._place == blocks.SEGMENT_BLOCKS:
            self._take_segment()
        offset = blocks.segment_offset(self._segment) + self._place * blocks.BLOCK_BYTES
        if os.pwrite(self._fd, image, offset) != len(image):
            raise OSError("short write")
        self._place += 1
        self._newest[self._segment] = self.memory.sequence + 1
        self.memory = Memory(self.memory.sequence + 1, image[-32:], self.memory.blocks_written + 1)

    def _next(self) -> Block:
        return Block(
            self._zone_uuid, self._name, self._incarnation, self._owner_hostid,
            self.memory.sequence + 1, time.time_ns() // 1_000_000, self.memory.previous, b"",
        )  # fmt: skip

    def _take_segment(self) -> None:
        if not self._newest:
            raise OSError("the storage has no room behind its host data")
        oldest = min(self._newest)
        self._segment = secrets.choice([place for place, newest in enumerate(self._newest) if newest == oldest])
        self._place = 0

    def _newest_of_segments(self) -> list[int]:
        newest = [0] * blocks.segments(self._fd)
        for placed in blocks.walk(self._fd):
            segment = placed.position // blocks.SEGMENT_BLOCKS
            # What is torn cannot say how old it is: 1 keeps its segment from passing for a free one.
            newest[segment] = max(newest[segment], placed.block.sequence if placed.block else 1)
        return newest

    def _last_on_storage(self) -> Memory:
        last: Block | None = None
        for placed in blocks.walk(self._fd):
            block = placed.block
            if block and block.zone_uuid == self._zone_uuid and (last is None or block.sequence > last.sequence):
                last = block
        return Memory(last.sequence, last.digest, 0) if last else self.memory


def main(arguments: list[str] | None = None) -> int:
    """Run a guest until it is told to end; return its exit code: 0 ended, 3 suspended, 1 storage lost."""
    options = _options(arguments)
    signal.pthread_sigmask(
        signal.SIG_BLOCK, (*_SIGNALS, *_NOT_FOR_US)
    )  # they wait until a block is whole: `_told` asks for them
    try:
        memory = _given_memory()
        guest = Guest(options.storage, _identity(options))
        guest.start(memory)
        guest.write()
        _detach(0)  # by which `guests.is_waiting` knows that it was told
        # The one who started this waits for this word: from here on the zone runs.
        os.write(1, b"running\n")
        _detach(1)
        return _run(guest, options)
    except OSError as error:
        sys.stderr.write(f"guest: {error}\n")
        return 1


def _run(guest: Guest, options: argparse.Namespace) -> int:
    due = time.monotonic() + options.interval
    while True:
        told = _told(due - time.monotonic())
        if told == signal.SIGTERM:
            return 0
        if told == signal.SIGUSR2:
            return _panic()
        if told == signal.SIGUSR1 and _suspend(guest, options, options.suspend):
            return SUSPENDED_EXIT
        if told == HAND_OVER and _suspend(guest, options, os.path.dirname(options.key_file) + "/handover"):
            return SUSPENDED_EXIT
        if time.monotonic() >= due:
            guest.write()
            due = max(due + options.interval, time.monotonic())


def _panic() -> int:
    """Say on the console that the zone has panicked, and stay as it is until the end."""
    sys.stderr.write(f"{PANIC}/thread=0: forced by kz panic\n")
    sys.stderr.flush()
    signal.sigwait({signal.SIGTERM})
    return 0


def _told(wait_s: float) -> int | None:
    """Return the signal that came within `wait_s` seconds, if one did."""
    found = signal.sigtimedwait(_SIGNALS, max(0.0, wait_s))
    return found.si_signo if found else None


def _suspend(guest: Guest, options: argparse.Namespace, path: str) -> bool:
    """Store the memory, sealed, at `path`; False, and the zone runs on, when there is no room for it."""
    try:
        _store_memory(guest, options, path)
    except OSError as error:
        sys.stderr.write(f"guest: not suspended: {error}\n")
        return False
    return True


def _store_memory(guest: Guest, options: argparse.Namespace, path: str) -> None:
    # Imported here alone: cryptography would double the memory of every running guest.
    from pathlib import Path  # noqa: PLC0415

    from kernelzone.portable import suspension  # noqa: PLC0415

    zone_key = bytes.fromhex(Path(options.key_file).read_text("ascii"))
    sealed = suspension.seal(memory_bytes(guest.memory), zone_key=zone_key, zone_uuid=_uuid_bytes(options.zone_uuid))
    suspension.store(Path(path), sealed)


def memory_bytes(memory: Memory) -> bytes:
    """Return the memory as it is sealed and handed over."""
    return json.dumps([memory.sequence, memory.previous.hex(), memory.blocks_written]).encode()


def memory_of(image: bytes) -> Memory:
    """Return the memory in an image that was unsealed."""
    sequence, previous, blocks_written = json.loads(image)
    return Memory(int(sequence), bytes.fromhex(previous), int(blocks_written))


def _given_memory() -> Memory | None:
    """Return what to resume from, once the one who started this has noted it. Raises: OSError without the word."""
    given = sys.stdin.buffer.read()
    if not given.startswith(GO):
        raise OSError("not started: the command that booted the zone has died")
    image = given.removeprefix(GO)
    return memory_of(image) if image else None


def _detach(stream: int) -> None:
    fd = os.open(os.devnull, os.O_RDWR)
    os.dup2(fd, stream)
    os.close(fd)


def _identity(options: argparse.Namespace) -> tuple[bytes, bytes, bytes]:
    return _uuid_bytes(options.zone_uuid), bytes.fromhex(options.incarnation), bytes.fromhex(options.owner_hostid)


def _uuid_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def _options(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="kz-guest")
    for name in ("storage", "zone-uuid", "incarnation", "owner-hostid", "key-file", "suspend"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--zone", required=True, help="for `ps` only")
    parser.add_argument("--interval", type=float, default=1.0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
