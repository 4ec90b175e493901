"""Commands that only read, over both transports: one that gives no answer hides no other one's."""

from __future__ import annotations

import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd_lab import SSHD, Sshd

from kernelzone.words import ZoneName
from kzagent.drivers.solaris import local as local_module
from kzagent.drivers.solaris.commands import CommandPort
from kzagent.drivers.solaris.configurations import SELDOM_FRESH_S, Configurations
from kzagent.drivers.solaris.local import LocalTransport
from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.ssh import SshTransport
from kzagent.drivers.solaris.transport import MOST_BYTES, Read, Transport
from kzagent.errors import DriverError

TOO_MUCH = Read(("/usr/bin/head", "-c", str(MOST_BYTES + 1), "/dev/zero"))
TOO_LONG = Read(("/bin/sleep", "30"))
ECHO = Read(("/bin/echo", "here"))
Z = ZoneName("kzone1")


@pytest.fixture(params=["local", "ssh"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    if request.param == "local":
        yield LocalTransport()
        return
    sshd: Sshd = request.getfixturevalue("sshd")
    ssh = SshTransport(sshd.settings())
    yield ssh
    ssh.close()


def script(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(("bad", "code"), [(TOO_MUCH, "TOO_LARGE"), (TOO_LONG, "TIMEOUT")])
def test_a_command_that_gives_no_answer_hides_no_other_one(transport: Transport, bad: Read, code: str) -> None:
    first, second, third = transport.read([ECHO, bad, ECHO], timeout_s=5)

    assert (first, third) == (Finished(0, "here\n", ""), Finished(0, "here\n", ""))
    assert (second.exit_code, second.stdout) == (None, "")
    assert second.stderr.startswith(f"kzagent: {code}")


def test_when_nothing_answers_that_is_said_of_the_host(transport: Transport) -> None:
    with pytest.raises(DriverError) as error:
        transport.read([TOO_LONG, TOO_LONG], timeout_s=0.3)

    assert error.value.code == "TIMEOUT"


def test_after_one_that_took_too_long_those_not_begun_are_given_up(transport: Transport, tmp_path: Path) -> None:
    slow = script(tmp_path, "slow", f"echo begun >> {tmp_path}/begun; exec sleep 30")

    with pytest.raises(DriverError):
        transport.read([Read((str(slow),))] * 40, timeout_s=1)

    assert len((tmp_path / "begun").read_text().splitlines()) <= 8


def test_a_read_that_may_not_be_ended_is_given_up_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `pfexec` runs as root cannot be ended by the agent's user."""
    real = subprocess.Popen.kill
    left = []

    def refused(process: subprocess.Popen[bytes]) -> None:
        left.append(process)
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(subprocess.Popen, "kill", refused)
    monkeypatch.setattr(local_module, "ENDED_WITHIN_S", 0.1)
    with pytest.raises(DriverError) as error:
        LocalTransport().read([TOO_LONG], timeout_s=0.2)

    assert error.value.code == "TIMEOUT"
    real(left[0])
    left[0].wait()


def test_a_verb_runs_in_a_contract_of_its_own_where_there_are_contracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctrun = script(tmp_path, "ctrun", f'echo "$1 $2" > {tmp_path}/told; shift 2; exec "$@"')
    monkeypatch.setattr(local_module, "CTRUN", ctrun)

    assert LocalTransport().run(["/bin/sh", "-c", "exit 3"], 30, tmp_path).exit_code == 3
    assert (tmp_path / "told").read_text() == "-l child\n"


def test_a_verb_whose_output_cannot_be_kept_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(DriverError) as error:
        LocalTransport().run(["/usr/bin/touch", str(tmp_path / "begun")], 30, tmp_path / "absent")

    assert error.value.code == "IO"
    assert not (tmp_path / "begun").exists()


def test_a_read_that_finds_every_session_taken_does_not_cut_off_the_verbs(sshd_of_one: Sshd, tmp_path: Path) -> None:
    transport = SshTransport(sshd_of_one.settings())
    verb = script(tmp_path, "verb", f"touch {tmp_path}/begun; until [ -e {tmp_path}/end ]; do sleep 0.1; done")
    ended: list[Finished] = []
    running = threading.Thread(target=lambda: ended.append(transport.run([str(verb)], 30, tmp_path)))
    running.start()
    while not (tmp_path / "begun").exists():
        time.sleep(0.05)

    with pytest.raises(DriverError) as error:
        transport.read([ECHO])
    (tmp_path / "end").touch()
    running.join(30)

    assert error.value.code == "UNREACHABLE"
    assert ended == [Finished(0, "", "")]
    transport.close()


@pytest.fixture
def sshd_of_one(tmp_path: Path) -> Iterator[Sshd]:
    """A sshd that opens one session on a connection."""
    if SSHD is None:
        pytest.skip("needs sshd (Debian: openssh-server)")
    server = Sshd(tmp_path / "sshd-of-one", sessions=1)
    yield server
    server.stop()


# --- what a port makes of it ------------------------------------------------------------------------------------------


class Said:
    """A transport that answers each command by its last word."""

    def __init__(self, **answers: Finished) -> None:
        self.answers = answers

    def read(self, reads: list[Read], timeout_s: float = 1) -> list[Finished]:
        return [self.answers.get(one.vector[-1].rpartition("/")[2], Finished(1, "", "no\n")) for one in reads]


def port(**answers: Finished) -> CommandPort:
    return CommandPort(Said(**answers))  # type: ignore[arg-type]


def test_a_file_named_like_an_attach_log_at_no_time_is_no_log() -> None:
    names = "zoneadm.20261399T000000Z.kzone1.attach\nzoneadm.20261123T170000Z.kzone2.attach\n"
    log = "zoneadm.20261123T170000Z.kzone2.attach"
    found = port(zones=Finished(0, names, ""), **{log: Finished(0, "refused\n", "")})

    assert list(found.attach_logs([Z, ZoneName("kzone2")])) == ["kzone2"]


@pytest.mark.parametrize(
    ("words", "is_at_work"),
    [
        ("/usr/sbin/zoneadm -z kzone1 boot", True),
        ("zoneadm -zkzone1 halt", True),
        ("/usr/bin/pfexec /usr/sbin/zoneadm -z kzone1", True),
        ("/usr/bin/ctrun -l child /usr/bin/pfexec /usr/sbin/zoneadm -z kzone1 attach", True),
        ("/usr/sbin/zoneadm -z kzone1 list -p", False),
        ("/usr/sbin/zoneadm list -cp", False),
        ("/usr/sbin/zoneadm -z kzone11 boot", False),
        ("/usr/sbin/zoneadm -z kzone boot", False),
        ("/usr/sbin/zonecfg -z kzone1 export", False),
    ],
)
def test_who_is_at_work_on_a_zone_is_read_from_ps(words: str, is_at_work: bool) -> None:
    assert port(**{"args=": Finished(0, f"  7 00:01 {words}\n", "")}).is_at_work(Z) is is_at_work


def test_a_name_that_ps_has_cut_off_may_be_the_zones() -> None:
    zone = ZoneName("k" + 63 * "z")
    cut = f"/usr/sbin/zoneadm -z {zone} attach"[:79]

    assert port(**{"args=": Finished(0, f"  7 00:01 {cut}\n", "")}).is_at_work(zone)
    assert not port(**{"args=": Finished(0, f"  7 00:01 {cut}\n", "")}).is_at_work(Z)


def test_the_ids_of_storage_that_did_not_answer_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    export = Finished(
        0, "create -b\nset brand=solaris-kz\nadd device\nset storage=dev:dsk/c0d0\nset bootpri=0\nset id=0\nend\n", ""
    )
    said = Said(export=export)
    found = Configurations(CommandPort(said))  # type: ignore[arg-type]
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    assert found.of([Z])[Z].boot_storage[0].device_ids == ()
    said.answers["c0d0"] = Finished(0, "lu:luname.naa.600144f000000000\n", "")
    now[0] += SELDOM_FRESH_S + 1
    assert found.of([Z])[Z].boot_storage[0].device_ids == ("naa.600144f000000000",)
    said.answers["c0d0"] = Finished(None, "", "")
    now[0] += SELDOM_FRESH_S + 1
    assert found.of([Z])[Z].boot_storage[0].device_ids == ("naa.600144f000000000",)


def test_what_took_a_minute_to_read_is_not_read_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, exports = [1000.0], []

    class Slow(Said):
        def read(self, reads: list[Read], timeout_s: float = 1) -> list[Finished]:
            exports.extend(one for one in reads if one.vector[-1] == "export")
            now[0] += 60
            return super().read(reads)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    found = Configurations(CommandPort(Slow()))  # type: ignore[arg-type]
    found.of([Z])
    found.of([Z])

    assert len(exports) == 1
