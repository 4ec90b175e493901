"""Commands on the machine the agent itself runs on: subprocesses without a shell, in a closed environment.

A verb gets a session of its own, somebody who waits for it (`runner`), and writes its output to files, so that it
neither waits for this process nor hears when it ends. Pid and start are kept beside its output: an agent that starts
again knows what is still at work, and how it ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from kzagent.drivers.solaris import runner
from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.transport import MOST_BYTES, READ_TIMEOUT_S, Batch, Read, text_of
from kzagent.errors import DriverError

ENVIRONMENT: Final = {"LC_ALL": "C", "LANG": "C", "PATH": "/usr/sbin:/usr/bin", "TZ": "UTC"}
AT_ONCE: Final = 4
ENDED_WITHIN_S: Final = 5.0
CTRUN: Final = Path("/usr/bin/ctrun")
_CHUNK: Final = 64 * 1024
_RUNNER: Final = (sys.executable, "-I", "-S", runner.__file__)
# Who waits for a verb says so much later at most that it has begun it.
_BEGINS_WITHIN_S: Final = 10.0


class LocalTransport:
    """This machine."""

    def __init__(self) -> None:
        self._left: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def is_reachable(self) -> bool:
        """Return True: whoever asks is there."""
        return True

    def read(self, reads: Sequence[Read], timeout_s: float = READ_TIMEOUT_S) -> list[Finished]:
        """Return how each command ended, a few at once."""
        if len(reads) == 1:
            return [_read(reads[0], timeout_s)]
        batch = Batch()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return batch.answers(list(pool.map(lambda one: _read_in(batch, one, timeout_s), reads)))

    def run(self, vector: Sequence[str], patience_s: float, place: Path) -> Finished:
        """Return how a verb ended; it is left alone when that takes longer than `patience_s`."""
        process = _begun(vector, place)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._keep(process)
            return _ended(place, None)
        ended = _kept(place / runner.EXIT) or {}
        if "error" in ended:
            raise DriverError("NO_COMMAND", f"{_name(vector)} cannot be run ({ended['error']})")
        return _ended(place, ended.get("exit_code"))

    def left(self, place: Path) -> Finished | None:
        """Return how a verb ended that nobody waited for; None while it, or who waits for it, has its pid."""
        processes = _kept(place / runner.PROCESSES)
        if processes is None and _age_s(place) < _BEGINS_WITHIN_S:
            return None
        if any(runner.is_same(began, runner.started(pid)) for pid, began in processes or ()):
            return None
        return _ended(place, (_kept(place / runner.EXIT) or {}).get("exit_code"))

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._left = [one for one in self._left if one.poll() is None] + [process]


def _begun(vector: Sequence[str], place: Path) -> subprocess.Popen[bytes]:
    words = [*_in_own_contract(), *_RUNNER, str(place)]
    try:
        runner.keep(place / runner.VECTOR, list(vector))
        with (place / "stdout").open("wb") as stdout, (place / "stderr").open("wb") as stderr:
            return _started(words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True)
    except OSError as error:
        raise DriverError("IO", f"the output of a verb cannot be kept ({error.strerror}): it was not begun") from error


def _in_own_contract() -> tuple[str, ...]:
    """Return what puts a command, where there are process contracts, in one of its own: SMF ends the agent's.

    Source: ctrun(1). It ends with the command; without `-o noorphan` the command outlives it.
    """
    return (str(CTRUN), "-l", "child") if os.access(CTRUN, os.X_OK) else ()


def _read_in(batch: Batch, one: Read, timeout_s: float) -> Finished | DriverError:
    try:
        batch.go_on()
        return _read(one, timeout_s)
    except DriverError as error:
        return batch.fault(error)


def _read(one: Read, timeout_s: float) -> Finished:
    process = _started(one.vector, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    streams = [_Stream(process, process.stdout), _Stream(process, process.stderr)]
    threading.Thread(target=_write, args=(process, one.stdin), daemon=True).start()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        _end(process)
        raise DriverError("TIMEOUT", f"{_name(one.vector)} gave no answer within {timeout_s:g} s") from None
    finally:
        contents = [stream.content() for stream in streams]
    if any(stream.is_too_large for stream in streams):
        raise DriverError("TOO_LARGE", f"{_name(one.vector)} printed more than {MOST_BYTES} bytes")
    return Finished(process.returncode, *contents)


class _Stream(threading.Thread):
    """One stream of a read, taken in while the command runs; a command that prints too much is ended."""

    def __init__(self, process: subprocess.Popen[bytes], source: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        assert source is not None
        self._process, self._source = process, source
        self._content = bytearray()
        self.is_too_large = False
        self.start()

    def run(self) -> None:
        """Read until the end, or until it is too much."""
        with self._source:
            while chunk := os.read(self._source.fileno(), _CHUNK):
                self._content += chunk
                if len(self._content) > MOST_BYTES:
                    self.is_too_large = True
                    _kill(self._process)
                    return

    def content(self) -> str:
        """Return what was read, once the command has ended; a child of it that holds the stream is not waited for."""
        self.join(ENDED_WITHIN_S)
        return text_of(bytes(self._content))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a read, as far as that is possible; one that cannot be ended is not waited for."""
    _kill(process)
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDED_WITHIN_S)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # what pfexec runs as another user is not ours to end
    with suppress(PermissionError):
        process.kill()


def _write(process: subprocess.Popen[bytes], content: bytes) -> None:
    assert process.stdin is not None
    try:
        with process.stdin as stdin:
            stdin.write(content)
    except OSError:
        pass  # it ended without reading all; its exit code says why


def _started(vector: Sequence[str], **how: object) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(list(vector), env=ENVIRONMENT, cwd="/", close_fds=True, **how)  # type: ignore[call-overload, no-any-return]  # noqa: S603 - a vector, no shell
    except OSError as error:
        raise DriverError("NO_COMMAND", f"{_name(vector)} cannot be run ({error.strerror})") from error


def _name(vector: Sequence[str]) -> str:
    return " ".join(Path(word).name for word in vector[:2])


def _tail(path: Path) -> str:
    """Return the end of what a verb wrote, where it says what happened."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_BYTES))
            return text_of(file.read(MOST_BYTES))
    except OSError:
        return ""


def _ended(place: Path, exit_code: int | None) -> Finished:
    return Finished(exit_code, _tail(place / "stdout"), _tail(place / "stderr"))


def _kept(path: Path) -> Any:
    """Return what the runner has kept, None when it has not (yet)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _age_s(place: Path) -> float:
    try:
        return time.time() - (place / runner.VECTOR).stat().st_mtime
    except OSError:
        return float("inf")  # not even the vector was written: nothing was begun
