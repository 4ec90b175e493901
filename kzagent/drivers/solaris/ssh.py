"""Commands on a Solaris host over ssh: one connection a host, kept and made again; nothing is installed there.

The host must be in the agent's known_hosts file, and is never added to it from here. sshd hands a command line to the
login shell of the user, so every word is quoted (docs/decisions/0011).

A verb whose connection is lost is not ended by us: it may have ended, or be at work. Its end was not seen, and `ps`
tells whether it still runs.
"""

from __future__ import annotations

import asyncio
import shlex
import threading
import time
from collections.abc import Coroutine, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncssh

from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.transport import MOST_BYTES, READ_TIMEOUT_S, Batch, Read, text_of
from kzagent.errors import DriverError
from kzagent.host_settings import SshSettings

CONNECT_TIMEOUT_S: Final = 15.0
KEEPALIVE_S: Final = 15.0
KEEPALIVES_MISSED: Final = 3
# A host that did not answer is not tried again at once by each of its callers.
TRY_AGAIN_S: Final = 10.0
_ENVIRONMENT: Final = ("/usr/bin/env", "LC_ALL=C", "LANG=C", "TZ=UTC")
_CHUNK: Final = 64 * 1024
_LOST: Final = (asyncssh.DisconnectError, OSError)

# It tells of every connection and channel, which is no news.
asyncssh.set_log_level("WARNING")

T = TypeVar("T")


def command_line(vector: Sequence[str]) -> str:
    """Return the vector as one line of which a login shell makes the very same words again."""
    return shlex.join([*_ENVIRONMENT, *vector])


class SshTransport:
    """One host over ssh. `settings.sessions`: how many commands run at once on its connection."""

    def __init__(self, settings: SshSettings) -> None:
        self._settings = settings
        self._connection: asyncssh.SSHClientConnection | None = None
        self._failure: tuple[float, DriverError] | None = None
        self._connecting = asyncio.Lock()
        self._sessions = asyncio.Semaphore(settings.sessions)

    def is_reachable(self) -> bool:
        """Return whether there is a connection, or one can be made now."""
        try:
            _wait(self._connected())
        except DriverError:
            return False
        return True

    def read(self, reads: Sequence[Read], timeout_s: float = READ_TIMEOUT_S) -> list[Finished]:
        """Return how each command ended, in order."""
        return _wait(self._read_all(reads, timeout_s))

    def run(self, vector: Sequence[str], patience_s: float, place: Path | None = None) -> Finished:
        """Return how a verb ended; exit_code None when the connection or the patience ended first."""
        return _wait(self._run(vector, patience_s))

    def left(self, place: Path) -> Finished | None:
        """Return that its end was not seen: exit code and output went with the connection; `ps` says if it runs."""
        return Finished(None, "", "")

    def close(self) -> None:
        """End the connection; it is made again when it is needed."""
        _wait(self._close())

    async def _read_all(self, reads: Sequence[Read], timeout_s: float) -> list[Finished]:
        batch = Batch()
        tasks = [asyncio.ensure_future(self._read_in(batch, one, timeout_s)) for one in reads]
        try:
            return batch.answers(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _read_in(self, batch: Batch, one: Read, timeout_s: float) -> Finished | DriverError:
        async with self._sessions:
            try:
                batch.go_on()
                return await self._read(one, timeout_s)
            except DriverError as error:
                return batch.fault(error)

    async def _read(self, one: Read, timeout_s: float) -> Finished:
        """Return how a command that only reads ended; over a connection that was lost unnoticed it is run again."""
        for is_last in (False, True):
            connection = await self._connected()
            try:
                return await asyncio.wait_for(_execute(connection, one), timeout_s)
            except TimeoutError:
                raise DriverError("TIMEOUT", f"no answer within {timeout_s:g} s") from None
            except (*_LOST, asyncssh.ChannelOpenError) as error:
                if isinstance(error, asyncssh.ChannelOpenError) and not connection.is_closed():
                    # full, not lost: a verb may be at work on it
                    raise DriverError("UNREACHABLE", f"the host opens no session ({_why(error)})") from error
                await self._drop(connection)
                if is_last:
                    raise DriverError("UNREACHABLE", f"the connection was lost ({_why(error)})") from error
        raise AssertionError("unreachable")

    async def _run(self, vector: Sequence[str], patience_s: float) -> Finished:
        async with self._sessions:
            connection = await self._connected()
            try:
                process = await connection.create_process(command_line(vector), encoding=None, stdin=asyncssh.DEVNULL)
            except asyncssh.ChannelOpenError as error:
                raise DriverError("UNREACHABLE", f"the host opens no session ({_why(error)}): not begun") from error
            except _LOST as error:
                await self._drop(connection)
                return Finished(None, "", f"kzagent: the connection was lost ({_why(error)})\n")
            return await _end_of(process, patience_s)

    async def _connected(self) -> asyncssh.SSHClientConnection:
        """Return the open connection. Raises: DriverError UNREACHABLE, HOST_KEY, LOGIN."""
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            if self._failure is not None and time.monotonic() < self._failure[0]:
                raise self._failure[1]
            try:
                self._connection = await self._connect()
            except DriverError as error:
                self._failure = (time.monotonic() + TRY_AGAIN_S, error)
                raise
            self._failure = None
            return self._connection

    async def _connect(self) -> asyncssh.SSHClientConnection:
        ssh = self._settings
        try:
            return await asyncssh.connect(
                ssh.address,
                ssh.port,
                username=ssh.user,
                client_keys=[ssh.key_file],
                known_hosts=ssh.known_hosts,
                preferred_auth="publickey",
                agent_path=None,
                config=None,
                keepalive_interval=KEEPALIVE_S,
                keepalive_count_max=KEEPALIVES_MISSED,
                connect_timeout=CONNECT_TIMEOUT_S,
                login_timeout=CONNECT_TIMEOUT_S,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise DriverError("HOST_KEY", "the host key is not the one in known_hosts: it is not talked to") from error
        except asyncssh.PermissionDenied as error:
            raise DriverError("LOGIN", f"{ssh.user} may not log in with the agent's key") from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise DriverError("LOGIN", "the agent's key file holds no usable key") from error
        except (asyncssh.Error, OSError, ValueError) as error:
            raise DriverError("UNREACHABLE", f"no connection ({_why(error)})") from error

    async def _drop(self, connection: asyncssh.SSHClientConnection) -> None:
        if self._connection is connection:
            self._connection = None
        connection.abort()

    async def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()


async def _execute(connection: asyncssh.SSHClientConnection, one: Read) -> Finished:
    process = await connection.create_process(command_line(one.vector), encoding=None)
    try:
        process.stdin.write(one.stdin)
        process.stdin.write_eof()
        stdout, stderr = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
        await process.wait_closed()
        if process.returncode is None:
            raise asyncssh.ConnectionLost("the command's end was not seen")
        return Finished(process.returncode, text_of(stdout), text_of(stderr))
    finally:
        process.close()


async def _bounded(stream: asyncssh.SSHReader[bytes]) -> bytes:
    """Return all of a stream. Raises: DriverError TOO_LARGE."""
    content = bytearray()
    while chunk := await stream.read(_CHUNK):
        content += chunk
        if len(content) > MOST_BYTES:
            raise DriverError("TOO_LARGE", f"a command printed more than {MOST_BYTES} bytes")
    return bytes(content)


async def _end_of(process: asyncssh.SSHClientProcess[bytes], patience_s: float) -> Finished:
    """Return how a verb ended; one that takes longer keeps its channel, so that its output goes somewhere."""
    tails = _Tail(process.stdout), _Tail(process.stderr)
    ended = asyncio.ensure_future(_drained(process, tails))
    try:
        await asyncio.wait_for(asyncio.shield(ended), patience_s)
    except TimeoutError:
        _KEPT.add(ended)
        ended.add_done_callback(_KEPT.discard)
        return Finished(None, tails[0].text(), tails[1].text())
    return Finished(process.returncode, tails[0].text(), tails[1].text())


class _Tail:
    """The end of what a verb writes, where it says what happened."""

    def __init__(self, stream: asyncssh.SSHReader[bytes]) -> None:
        self._stream = stream
        self._content = bytearray()

    async def drain(self) -> None:
        """Take in everything, keep the end."""
        while chunk := await self._stream.read(_CHUNK):
            self._content += chunk
            del self._content[:-MOST_BYTES]

    def text(self) -> str:
        """Return what was kept."""
        return text_of(bytes(self._content))


async def _drained(process: asyncssh.SSHClientProcess[bytes], tails: tuple[_Tail, _Tail]) -> None:
    try:
        await asyncio.gather(*(tail.drain() for tail in tails))
        await process.wait_closed()
    except _LOST:
        pass  # no exit status: its end was not seen


def _why(error: Exception) -> str:
    text = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return str(text)[:120] or type(error).__name__


# --- one event loop for all hosts ---------------------------------------------------------------------------------

_KEPT: Final[set[asyncio.Future[None]]] = set()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="ssh", daemon=True).start()
    return loop


_starting: Final = threading.Lock()


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, done in the loop that all connections of this process live in."""
    with _starting:
        loop = _loop()
    return asyncio.run_coroutine_threadsafe(work, loop).result()
