"""Whatever a host prints, the driver neither breaks nor believes it: faults B36 and what comes near it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kernelzone.states import Verb
from kernelzone.words import HostId, ZoneName
from kzagent.drivers.solaris.commands import CommandPort
from kzagent.drivers.solaris.driver import SolarisDriver
from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.transport import Read
from kzagent.errors import DriverError

OWN = HostId("83a0cc71")
Z = ZoneName("kzone1")
HEAD_S = "NAME             STATUS           AUXILIARY STATE\n"
EXPORT = (
    "create -b\nset brand=solaris-kz\nadd device\nset storage=iscsi://t/luname.naa.600144f000000000\nset bootpri=0\n"
    "set id=0\nend\nadd keysource\nset raw=00112233445566778899aabbccddeeff\nend\n"
)


class Typed:
    """A transport whose answers are given by the command's name; verbs are answered by `verb`."""

    def __init__(self, **answers: str | Finished) -> None:
        self.answers: dict[str, Any] = {
            "hostid": f"{OWN}\n",
            "uname": "global1 11.4\n",
            "beadm": "solaris-1;69ed2e6a-e25a-6d36-e022-ed7261ed8899;NR;/;1;static;1\n",
            "kstat": "unix:0:system_misc:boot_time\t1\n",
            "date": "20261123T170000Z\n",
            "list-cp": "-:kzone1:installed:/z:69ed2e6a-e25a-6d36-e022-ed7261ed8899:solaris-kz:excl:R:solaris-kz:\n",
            "list-cs": HEAD_S,
            "zonecfg": EXPORT,
            "ps": "  1 00:01 init\n",
            "verb": "",
            **answers,
        }

    def is_reachable(self) -> bool:
        return True

    def read(self, reads: Sequence[Read], timeout_s: float = 1) -> list[Finished]:
        return [self._answer(one.vector) for one in reads]

    def run(self, vector: Sequence[str], patience_s: float, place: Path) -> Finished:
        return self._finished(self.answers["verb"])

    def left(self, place: Path) -> Finished | None:
        return Finished(None, "", "")

    def _answer(self, vector: Sequence[str]) -> Finished:
        words = [word for word in vector if not word.endswith("pfexec")]
        name = words[0].rpartition("/")[2]
        key = f"list{words[-1]}" if name == "zoneadm" else name
        return self._finished(self.answers.get(key, Finished(1, "", "not here\n")))

    def _finished(self, answer: str | Finished) -> Finished:
        return answer if isinstance(answer, Finished) else Finished(0, answer, "")


def driver(tmp_path: Path, **answers: str | Finished) -> SolarisDriver:
    return SolarisDriver(OWN, CommandPort(Typed(**answers)), tmp_path)


def refused(call: Any) -> str:
    with pytest.raises(DriverError) as error:
        call()
    return error.value.code


@pytest.mark.parametrize(
    "said",
    ["", "\n\n", "Zugriff verweigert\n", "a:b:c\n", "x:" * 6 + "\n", "\ufffd\ufffd:::::::\n", Finished(1, "", "no")],
)
def test_a_list_in_no_known_form_is_unparsed(tmp_path: Path, said: Any) -> None:
    assert refused(driver(tmp_path, **{"list-cp": said}).placements) == "UNPARSED"


def test_odd_lines_of_a_list_hide_no_other_zone(tmp_path: Path) -> None:
    lines = [
        "-:kzone1:installed:/z:69ed2e6a-e25a-6d36-e022-ed7261ed8899:solaris-kz:excl",
        "-:kzone2:sleeping:/with\\:colon::solaris-kz:excl:R:solaris-kz:x:y",
        "-:-oops:installed:/z::solaris-kz:excl",
        "-:a b:installed:/z::solaris-kz:excl",
        "-:native:running:/z::solaris:shared",
    ]
    found = driver(tmp_path, **{"list-cp": "".join(f"{line}\r\n" for line in lines)}).placements()

    assert [(one.zone, one.state) for one in found] == [("kzone1", "installed"), ("kzone2", "unknown")]


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("hostid", "00000000\n", "HOSTID"),
        ("hostid", "0\n", "HOSTID"),
        ("hostid", "no such\n", "HOSTID"),
        ("hostid", "848611d4\n", "HOSTID"),
        ("hostid", "", "UNPARSED"),
        ("uname", "one\n", "UNPARSED"),
        ("beadm", "solaris-1;x;-;/;1\n", "UNPARSED"),
        ("kstat", "boot_time\n", "UNPARSED"),
        ("date", "Mon Nov 23\n", "UNPARSED"),
        ("date", Finished(1, "", "usage"), "UNPARSED"),
    ],
)
def test_a_host_that_does_not_say_who_it_is_is_not_guessed(tmp_path: Path, name: str, said: Any, code: str) -> None:
    assert refused(driver(tmp_path, **{name: said}).host) == code


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (Finished(0, "", "error: something went wrong\n"), "UNPARSED"),
        (Finished(1, "", "Zone kann nicht gebootet werden\n"), "UNPARSED"),
        (Finished(1, "", ""), "UNPARSED"),
        (Finished(1, "x" * (10 << 20), ""), "UNPARSED"),
        (Finished(0, "", ""), "STATE_DIFFERS"),
        (Finished(None, "", ""), "STILL_RUNNING"),
        (Finished(-11, "", "zone 'kzone1': error: could not read host data from any boot device\n"), "NO_HOST_DATA"),
    ],
)
def test_a_verb_is_done_only_when_everything_says_so(tmp_path: Path, verb: Finished, code: str) -> None:
    outcome = driver(tmp_path, verb=verb).run(Verb.BOOT, Z, 0)

    assert (outcome.is_done, outcome.code) == (False, code)


def test_a_verb_after_which_the_zone_cannot_be_listed_has_an_end_nobody_saw(tmp_path: Path) -> None:
    class Gone(Typed):
        def run(self, vector: Sequence[str], patience_s: float, place: Path) -> Finished:
            self.answers["list-cp"] = Finished(1, "", "")
            return Finished(0, "", "")

    outcome = SolarisDriver(OWN, CommandPort(Gone()), tmp_path).run(Verb.BOOT, Z, 0)

    assert (outcome.is_done, outcome.code) == (False, "END_UNSEEN")


def test_no_key_is_in_the_lines_of_a_verb_or_in_a_configuration(tmp_path: Path) -> None:
    begin, end = "-----BEGIN CONFIGURATION-----", "-----END CONFIGURATION-----"
    echoed = f"zoneadm: zone 'kzone1': configuration failed:\n{begin}\n{EXPORT}{end}\n"
    found = driver(tmp_path, verb=Finished(1, "", echoed))

    said = [*found.run(Verb.BOOT, Z, 0).lines, found.configuration(Z).text]
    assert "00112233" not in "\n".join(said)


@pytest.mark.parametrize(
    "export",
    ["", "create -b\nset brand=solaris-kz\nfrobnicate\n", "\x00", Finished(1, "", "no"), EXPORT.replace("luname", "l")],
)
def test_an_export_in_no_known_form_leaves_the_zone_listed(tmp_path: Path, export: Any) -> None:
    found = driver(tmp_path, zonecfg=export)

    (placement,) = found.placements()
    assert (placement.state, placement.boot_storage, placement.configuration_sha256) == ("installed", (), None)
    assert refused(lambda: found.configuration(Z)) == "UNPARSED"


def test_an_export_with_comments_lists_quotes_and_unknown_properties_is_read(tmp_path: Path) -> None:
    odd = EXPORT.replace("create -b\n", 'create -b\r\n# a remark\nset zzz="a; b"; set fs-allowed=[a,b]\n')

    (placement,) = driver(tmp_path, zonecfg=odd).placements()

    assert [device.device_ids for device in placement.boot_storage] == [("naa.600144f000000000",)]
