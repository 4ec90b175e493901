"""`kzagent record`: what is written about a host, what is not, and who is asked first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agent_lab import GLOBAL1, Deployment, Fleet
from sshd_lab import Sshd
from ways import solaris_settings

from kernelzone.portable import configuring
from kernelzone.transcripts import Bundle, manifest_text, read_bundle, write_bundle
from kernelzone.transcripts.bundle import Manifest, Transcript, transcript
from kzagent import recording
from kzagent.__main__ import main
from kzagent.drivers.solaris.local import LocalTransport
from kzagent.drivers.solaris.opening import open_transport
from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.transport import Read
from kzagent.errors import DriverError
from kzagent.recording import Place

pytestmark = pytest.mark.processes


@pytest.fixture
def words(fleet: Fleet, tmp_path: Path) -> list[str]:
    """Return the arguments that record global1, after an attach of kzone1 was refused there."""
    settings = solaris_settings(fleet.global1)
    LocalTransport().run([f"{settings.commands}/zoneadm", "-z", "kzone1", "attach"], 20.0, tmp_path)
    return ["record", str(tmp_path / "bundle.tar"), "--commands", settings.commands, "--logs", settings.logs]


def keys_of(fleet: Fleet) -> list[str]:
    hosts = ((fleet.global1, "kzone1"), (fleet.global1, "kzone2"))
    found = [line.partition("raw=")[2] for host, zone in hosts for line in host.export(zone).splitlines()]
    return [key for key in found if key]


def test_a_recording_is_shown_written_and_holds_no_key(
    words: list[str], fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--yes", "--print"]) == 0

    shown = capsys.readouterr().out
    content = (tmp_path / "bundle.tar").read_bytes().decode()
    keys = keys_of(fleet)
    assert len(keys) == 2
    for key in keys:
        assert key[:8] not in shown
        assert key[:8] not in content
    bundle = read_bundle(tmp_path / "bundle.tar")
    assert [text for _, text in bundle.of_kind("hostid")] == [f"{GLOBAL1}\n"]
    assert [one.zone for one, _ in bundle.of_kind("export")] == ["kzone1", "kzone2"]
    assert "set raw=" + "0" * 32 in bundle.of_kind("export")[0][1]
    ((_, attach_log),) = bundle.of_kind("attach-log")
    assert "in use by host with  hostid 848611d4" in attach_log
    assert all(one.name in shown for one in bundle.manifest.transcripts)


def test_pseudonyms_are_the_same_everywhere(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--yes", "--pseudonyms"]) == 0

    content = (tmp_path / "bundle.tar").read_bytes().decode()
    bundle = read_bundle(tmp_path / "bundle.tar")
    assert [text for _, text in bundle.of_kind("hostname")] == ["host1\n"]
    assert "hostname: host2" in bundle.of_kind("attach-log")[0][1]
    assert "global2" not in content
    assert "global:running" in content


def test_nobody_there_to_agree_means_that_nothing_is_written(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1

    assert "--yes" in capsys.readouterr().err
    assert not (tmp_path / "bundle.tar").exists()


def test_a_recording_changes_nothing_on_the_host(words: list[str], fleet: Fleet) -> None:
    def looked() -> list[tuple[str, bytes]]:
        zones = sorted((fleet.global1.directory / "zones").rglob("*"))
        return [(str(path), path.read_bytes()) for path in zones if path.is_file()]

    before = looked()

    assert main([*words, "--yes"]) == 0

    assert looked() == before


def test_a_target_that_is_there_and_a_host_that_is_none_are_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["record", str(tmp_path / "new"), "--commands", str(empty), "--yes"]) == 1
    assert "is this a Solaris host" in capsys.readouterr().err

    assert main([*words[:1], str(tmp_path / "nowhere" / "b.tar"), *words[2:], "--yes"]) == 1
    assert "is no directory" in capsys.readouterr().err

    (tmp_path / "bundle.tar").write_text("mine")
    assert main([*words, "--yes"]) == 1
    assert (tmp_path / "bundle.tar").read_text() == "mine"


def test_a_host_of_an_agent_is_reached_as_the_agent_does(
    solaris: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["record", str(tmp_path / "new"), "--agent", str(solaris.directory), "--yes"]
    assert main(words) == 1
    assert "--host HOSTID" in capsys.readouterr().err
    assert main([*words, "--host", "00000001"]) == 1

    assert main([*words, "--host", GLOBAL1]) == 0
    assert read_bundle(tmp_path / "new").of_kind("hostid")[0][1] == f"{GLOBAL1}\n"


def test_a_bundle_becomes_a_fixture_with_one_command(words: list[str], tmp_path: Path) -> None:
    assert main([*words, "--yes", "--pseudonyms"]) == 0
    target = tmp_path / "fixture"

    assert main(["record", "--as-fixture", str(tmp_path / "bundle.tar"), str(target)]) == 0

    expected = json.loads((target / "expected.json").read_text())
    states = {zone["name"]: zone["state"] for name, zones in expected.items() if "list-cp" in name for zone in zones}
    assert states == {"global": "running", "kzone1": "unavailable", "kzone2": "installed"}
    assert read_bundle(target) == read_bundle(tmp_path / "bundle.tar")


def test_a_fixture_with_a_key_in_it_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"add keysource\nset raw={KEY}\nend\n"
    about = Transcript("", "export", "kzone1", ("zonecfg", "-z", "kzone1", "export"), 0, "", 0, "", 0)
    entry = transcript(1, about, text)
    write_bundle(Bundle(Manifest(1, "by hand", 0, "11.4", False, (entry,)), {entry.name: text}), tmp_path / "b.tar")

    assert main(["record", "--as-fixture", str(tmp_path / "b.tar"), str(tmp_path / "fixture")]) == 1

    assert "001-export.kzone1.txt" in capsys.readouterr().err
    assert not (tmp_path / "fixture").exists()


class TypedTransport:
    """Answers by the words of a command; everything else prints nothing."""

    def __init__(self, answers: dict[str, Finished | DriverError]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, ...]] = []

    def is_reachable(self) -> bool:
        return True

    def read(self, reads: list[Read], timeout_s: float = 0) -> list[Finished]:
        self.asked += [one.vector for one in reads]
        return [self._answer(" ".join(one.vector).replace("/usr/bin/pfexec ", "")) for one in reads]

    def run(self, vector: list[str], patience_s: float, place: Path) -> Finished:
        raise AssertionError("a recording runs no verb")

    def _answer(self, words: str) -> Finished:
        said = self._answers.get(words.rsplit("/", 1)[-1] if words.startswith("/") else words, Finished(0, "", ""))
        if isinstance(said, DriverError):
            raise said
        return said


LIST = """-:kzone1:installed:-::solaris-kz:excl:
nonsense
-:-z:installed:-::solaris-kz:excl:
0:global:running:/::solaris:shared:
"""
KEY = "6c9b111e4b50ce2fe249395122812a45"


def test_a_key_that_shows_up_where_nobody_looks_for_one_takes_the_whole_output_with_it() -> None:
    device = f"add device\nset storage=dev:dsk/{KEY}\nend\n"
    keyed = f"create -b\n{device}add keysource\nset passphrase=correct-horse\nset raw={KEY}\nend\n"
    answers: dict[str, Finished | DriverError] = {
        "zoneadm list -cp": Finished(0, LIST, ""),
        "zonecfg -z kzone1 export": Finished(0, keyed, ""),
        "zonecfg -z kzone1 info": Finished(0, "note: Correct-Horse is the passphrase\n", ""),
        "beadm list -H": Finished(1, "", "cannot open with correct-horse\n"),
    }

    bundle = recording.record(TypedTransport(answers), Place(), pseudonyms=False)

    everything = (json.dumps(bundle.texts) + manifest_text(bundle)).lower()
    assert "correct-horse" not in everything
    assert KEY not in everything
    left_out = [one.kind for one in bundle.manifest.transcripts if one.errors.startswith("kzagent: left out")]
    assert left_out == ["beadm", "info", "lookup-uri"]


def test_one_command_that_fails_leaves_the_others() -> None:
    answers: dict[str, Finished | DriverError] = {
        "zoneadm list -cp": Finished(0, LIST, ""),
        "zonecfg -z kzone1 export": DriverError("TOO_LARGE", "zonecfg printed more than 4194304 bytes"),
    }

    bundle = recording.record(TypedTransport(answers), Place(), pseudonyms=False)

    ((export, text),) = bundle.of_kind("export")
    assert (export.zone, export.exit_code, text) == ("kzone1", None, "")
    assert "4194304" in export.errors

    with pytest.raises(DriverError):
        recording.record(TypedTransport({"hostid": DriverError("UNREACHABLE", "gone")}), Place(), pseudonyms=False)


def test_only_commands_that_read_are_run_and_by_their_own_paths() -> None:
    export = "set storage=dev:/dev/dsk/c0t1d0\nset storage=lu:luname.naa.5000000000000001\nset storage=dev:%{x}\n"
    transport = TypedTransport(
        {
            "zoneadm list -cp": Finished(0, LIST, ""),
            "zonecfg -z kzone1 export": Finished(0, export, ""),
        }
    )

    recording.record(transport, Place(), pseudonyms=True)

    asked = {" ".join(vector) for vector in transport.asked}
    assert "/usr/bin/pfexec /usr/sbin/suriadm lookup-uri /dev/dsk/c0t1d0" in asked
    assert "/usr/bin/ls /var/log/zones" in asked
    verbs = {vector[2:][1] if vector[1].endswith("zoneadm") else "" for vector in transport.asked if len(vector) > 3}
    assert verbs <= {"", "-cp", "-cv", "-s", "-cs"}
    assert not any("-z -z" in words for words in asked)


def test_a_new_zone_without_a_key_is_recorded_too(words: list[str], fleet: Fleet, tmp_path: Path) -> None:
    text = "create -b; set brand=solaris-kz; set host-compatible=level1"
    assert configuring.configure(fleet.global1, "kzone3", text).is_done

    assert main([*words, "--yes"]) == 0

    exports = read_bundle(tmp_path / "bundle.tar").of_kind("export")
    assert exports[-1][1] == "create -b\nset brand=solaris-kz\nset host-compatible=level1\n"


def test_a_host_is_recorded_over_ssh_as_on_the_spot(sshd: Sshd, fleet: Fleet, tmp_path: Path) -> None:
    settings = sshd.over(solaris_settings(fleet.global1))
    place = Place(settings.commands, settings.logs)
    transport = open_transport(settings)

    over_ssh = recording.record(transport, place, pseudonyms=False)
    on_the_spot = recording.record(LocalTransport(), place, pseudonyms=False)

    assert over_ssh.texts == on_the_spot.texts
    assert len(over_ssh.of_kind("export")) == 2
