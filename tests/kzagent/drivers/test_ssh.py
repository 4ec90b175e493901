"""The ssh transport against a real sshd: words, host keys, lost connections, verbs that outlive them."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from sshd_lab import SSHD, Sshd

from kzagent.drivers.solaris import ssh as ssh_module
from kzagent.drivers.solaris.ssh import SshTransport, command_line
from kzagent.drivers.solaris.transport import MOST_BYTES, Read
from kzagent.errors import DriverError

pytestmark = pytest.mark.skipif(SSHD is None, reason="needs sshd (Debian: openssh-server)")


@pytest.fixture
def transport(sshd: Sshd) -> Iterator[SshTransport]:
    transport = SshTransport(sshd.settings())
    yield transport
    transport.close()


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A sshd that a test may end."""
    server = Sshd(tmp_path / "own-sshd")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_module, "TRY_AGAIN_S", 0.0)


def script(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def refused(transport: SshTransport) -> str:
    with pytest.raises(DriverError) as error:
        transport.read([Read(("/bin/true",))])
    assert not transport.is_reachable()
    return error.value.code


@pytest.mark.parametrize(
    "word",
    [
        "",
        "a b",
        "$HOME",
        "`id`",
        "$(id)",
        "'",
        '"',
        ";id",
        "a\nb",
        "*",
        "~root",
        "!!",
        "\\",
        "-x",
        "#",
        "&&",
        "{a,b}",
        "\u00e4",
    ],
)
def test_every_word_arrives_as_it_was_sent(transport: SshTransport, word: str) -> None:
    (said,) = transport.read([Read(("/usr/bin/printf", "%s|%s", word, "end"))])

    assert (said.exit_code, said.stdout) == (0, f"{word}|end")


def test_the_environment_is_the_same_everywhere(transport: SshTransport) -> None:
    (said,) = transport.read([Read(("/usr/bin/env",))])

    assert {"LC_ALL=C", "LANG=C", "TZ=UTC"} <= set(said.stdout.splitlines())


def test_output_exit_code_and_input_are_passed(transport: SshTransport, tmp_path: Path) -> None:
    command = script(tmp_path, "command", "cat; echo no >&2; exit 3")

    (said,) = transport.read([Read((command,), b"key\n")])

    assert said == (3, "key\n", "no\n")


def test_many_reads_share_one_connection_and_its_sessions(transport: SshTransport) -> None:
    reads = [Read(("/bin/echo", str(number))) for number in range(40)]

    assert [said.stdout for said in transport.read(reads)] == [f"{number}\n" for number in range(40)]
    assert transport._connection is not None


def test_a_host_that_is_not_in_known_hosts_is_not_talked_to(sshd: Sshd, tmp_path: Path) -> None:
    nobody = tmp_path / "known_hosts"
    nobody.write_text("")

    assert refused(SshTransport(sshd.settings(known_hosts=str(nobody)))) == "HOST_KEY"
    assert nobody.read_text() == ""


def test_a_host_with_another_key_is_not_talked_to(sshd: Sshd, tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    forged = tmp_path / "known_hosts"
    forged.write_text(f"[127.0.0.1]:{sshd.port} {other}")

    assert refused(SshTransport(sshd.settings(known_hosts=str(forged)))) == "HOST_KEY"


def test_a_key_that_the_host_does_not_know_is_told_apart(sshd: Sshd, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())

    assert refused(SshTransport(sshd.settings(key_file=str(key)))) == "LOGIN"


@pytest.mark.parametrize("missing", ["key_file", "known_hosts"])
def test_a_missing_file_is_said_and_nothing_else_is_tried(sshd: Sshd, missing: str) -> None:
    assert refused(SshTransport(sshd.settings(**{missing: "/nonexistent"}))) == "UNREACHABLE"


def test_a_host_that_is_down_is_unreachable_and_found_again(own_sshd: Sshd) -> None:
    transport = SshTransport(own_sshd.settings())
    assert transport.is_reachable()

    own_sshd.stop()
    assert refused(transport) == "UNREACHABLE"

    own_sshd.start()
    assert transport.read([Read(("/bin/echo", "back"))])[0].stdout == "back\n"
    transport.close()


def test_too_much_output_is_not_read(transport: SshTransport) -> None:
    with pytest.raises(DriverError) as error:
        transport.read([Read(("/usr/bin/head", "-c", str(MOST_BYTES + 1), "/dev/zero"))])

    assert error.value.code == "TOO_LARGE"


def test_a_read_that_takes_too_long_is_given_up(transport: SshTransport) -> None:
    with pytest.raises(DriverError) as error:
        transport.read([Read(("/bin/sleep", "30"))], timeout_s=0.3)

    assert error.value.code == "TIMEOUT"
    assert transport.read([Read(("/bin/echo", "next"))])[0].stdout == "next\n"


def test_a_verb_that_takes_too_long_goes_on(transport: SshTransport, tmp_path: Path) -> None:
    verb = script(tmp_path, "verb", f"sleep 1; echo done > {tmp_path}/marker")

    assert transport.run([verb], patience_s=0.2).exit_code is None

    _until((tmp_path / "marker").exists)


def test_a_verb_whose_connection_is_lost_goes_on_and_its_end_was_not_seen(own_sshd: Sshd, tmp_path: Path) -> None:
    transport = SshTransport(own_sshd.settings())
    verb = script(tmp_path, "verb", f"touch {tmp_path}/begun; sleep 2; touch {tmp_path}/marker")

    def cut() -> None:
        _until((tmp_path / "begun").exists)
        own_sshd.stop()

    cutting = threading.Thread(target=cut)
    cutting.start()
    finished = transport.run([verb], patience_s=30)
    cutting.join()

    assert finished.exit_code is None
    _until((tmp_path / "marker").exists)
    own_sshd.start()


def test_a_command_line_is_one_line_of_quoted_words() -> None:
    assert command_line(["/bin/echo", "a b"]) == "/usr/bin/env LC_ALL=C LANG=C TZ=UTC /bin/echo 'a b'"


def _until(holds: object) -> None:
    for _ in range(200):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError("it never came")
