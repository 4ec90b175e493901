"""Commands on the machine the agent itself runs on: subprocesses without a shell, in a closed environment.

A verb gets a session of its own and writes its output to files, so that it neither waits for this process nor hears
when it ends. Its pid and start are kept beside its output: an agent that starts again can say what is still at work.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.transport import MOST_BYTES, READ_TIMEOUT_S, Read, text_of
from kzagent.errors import DriverError

ENVIRONMENT: Final = {"LC_ALL": "C", "LANG": "C", "PATH": "/usr/sbin:/usr/bin", "TZ": "UTC"}
AT_ONCE: Final = 4
_CHUNK: Final = 64 * 1024


class LocalTransport:
    """This machine. `directory`: where the output of verbs is kept while they run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._left: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._number = 0

    def is_reachable(self) -> bool:
        """Return True: whoever asks is there."""
        return True

    def read(self, reads: Sequence[Read], timeout_s: float = READ_TIMEOUT_S) -> list[Finished]:
        """Return how each command ended, a few at once."""
        if len(reads) == 1:
            return [_read(reads[0], timeout_s)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda one: _read(one, timeout_s), reads))

    def run(self, vector: Sequence[str], patience_s: float) -> Finished:
        """Return how a verb ended; it is left alone when that takes longer than `patience_s`."""
        place = self._place()
        with (place / "stdout").open("wb") as stdout, (place / "stderr").open("wb") as stderr:
            process = _started(vector, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True)
        (place / "running.json").write_text(
            json.dumps({"pid": process.pid, "began": int(time.time()), "vector": vector})
        )
        try:
            exit_code: int | None = process.wait(patience_s)
        except subprocess.TimeoutExpired:
            exit_code = None
            self._keep(process)
        finished = Finished(exit_code, _tail(place / "stdout"), _tail(place / "stderr"))
        if exit_code is not None:
            _remove(place)
        return finished

    def _place(self) -> Path:
        """Return a fresh directory for one verb; those of verbs whose end nobody saw stay for a person."""
        with self._lock:
            self._number += 1
            place = self._directory / f"{os.getpid()}-{time.time_ns()}-{self._number}"
        try:
            place.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise DriverError(
                "IO", f"the output of a verb cannot be kept ({error.strerror}): it was not begun"
            ) from error
        return place

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._left = [one for one in self._left if one.poll() is None] + [process]


def _read(one: Read, timeout_s: float) -> Finished:
    process = _started(one.vector, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    streams = [_Stream(process, process.stdout), _Stream(process, process.stderr)]
    threading.Thread(target=_write, args=(process, one.stdin), daemon=True).start()
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
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
                    self._process.kill()
                    return

    def content(self) -> str:
        """Return what was read, once the command has ended; a child of it that holds the stream is not waited for."""
        self.join(timeout=5.0)
        return text_of(bytes(self._content))


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


def _remove(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
