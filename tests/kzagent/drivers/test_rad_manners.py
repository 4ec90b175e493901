"""What a RAD server may do wrong: nothing of it is a crash, and nothing of it is taken for an answer."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_lab import GLOBAL2, Fleet
from hypothesis import given
from hypothesis import strategies as st
from rad_certificates import Authority
from rad_lab import RadLab, rad_lab

from kernelzone.words import ZoneName
from kzagent.drivers.solaris.rad import answers, client
from kzagent.drivers.solaris.rad.settings import check_rad_settings
from kzagent.errors import DriverError, SetupError

ZONE1, ZONE2 = ZoneName("kzone1"), ZoneName("kzone2")
PATIENCE_S = 5.0

BAD_ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"status": 500, "raw": b'{"status": "success", "payload": []}'}, "UNPARSED"),
    ({"status": 502, "raw": b"<html><body>Bad Gateway</body></html>"}, "UNPARSED"),
    ({"raw": b"<html><body>Please log in</body></html>"}, "UNPARSED"),
    ({"raw": b'{"status": "success", "payload": [{"href": "api/com.or'}, "UNPARSED"),
    ({"raw": b""}, "UNPARSED"),
    ({"raw": b"[]"}, "UNPARSED"),
    ({"raw": b'{"payload": []}'}, "UNPARSED"),
    ({"raw": b'{"status": "failure", "payload": []}'}, "UNPARSED"),
    ({"status": 503, "raw": b'{"status": "success", "payload": []}'}, "UNPARSED"),
    ({"raw": b"[" * 100_000}, "UNPARSED"),
    ({"raw": b'{"status": "success", "payload": "\xff\xfe"}'}, "UNPARSED"),
    ({"raw": b"x" * (10 << 20)}, "TOO_LARGE"),
    ({"raw": b'{"status": "success", "payload": []}', "cut_in_body": True}, "UNREACHABLE"),
    ({"cut_after_acting": True}, "UNREACHABLE"),
    ({"status": 302, "raw": b"", "headers": (("Location", "https://127.0.0.1:1/api"),)}, "UNPARSED"),
]


def misbehave(rad: RadLab, **changes: Any) -> None:
    rad.served.manners = dataclasses.replace(rad.manners, **changes)


@pytest.mark.parametrize(("manners", "code"), BAD_ANSWERS)
def test_a_bad_answer_to_a_read_is_a_fault_with_its_code(rad: RadLab, manners: dict[str, Any], code: str) -> None:
    port = rad.port()
    port.zones()
    misbehave(rad, only="/Zone/?", **manners)

    with pytest.raises(DriverError) as fault:
        port.zones()

    assert fault.value.code == code
    assert len(str(fault.value)) < 200


@pytest.mark.parametrize("manners", [manners for manners, _ in BAD_ANSWERS])
def test_a_bad_answer_to_a_verb_is_an_end_that_nobody_saw(rad: RadLab, fleet: Fleet, manners: dict[str, Any]) -> None:
    port = rad.port()
    port.zones()
    misbehave(rad, only="_rad_method/attach", **manners)

    finished = port.run(ZONE1, ["attach", "-x", "force-takeover"], PATIENCE_S)

    assert finished.exit_code is None
    assert finished.stderr.startswith("kzagent: ")
    assert rad.served.asked("_rad_method/attach") == 1, "a verb that may have run is not sent again"


def test_a_failure_that_names_no_error_is_no_success(rad: RadLab) -> None:
    port = rad.port()
    port.zones()
    raw = b'{"status": "failure", "payload": {"code": "NONE", "str": "", "stdout": null, "stderr": null}}'
    misbehave(rad, only="_rad_method/attach", status=503, raw=raw)

    assert port.run(ZONE1, ["attach"], PATIENCE_S).exit_code is None


@pytest.mark.parametrize("raw", [b"<html>", b'{"status": "success", "payload": 5}', b"x" * (10 << 20)])
def test_one_export_in_no_known_form_hides_no_other(rad: RadLab, raw: bytes) -> None:
    misbehave(rad, only="kzone1/_rad_method/exportConfig", raw=raw)

    assert list(rad.port().exports([ZONE1, ZONE2])) == [ZONE2]


def test_a_verb_whose_answer_was_cut_off_has_run(rad: RadLab, fleet: Fleet) -> None:
    misbehave(rad, only="_rad_method/attach", cut_after_acting=True)

    assert rad.port().run(ZONE1, ["attach", "-x", "force-takeover"], PATIENCE_S).exit_code is None

    assert fleet.global1.read("kzone1")[0].record.owner_hostid != GLOBAL2


def test_a_server_that_only_drips_is_left_after_its_time(rad: RadLab) -> None:
    port = rad.port(rad.settings(timeout_s=1))
    port.zones()
    misbehave(rad, only="/Zone/?", drip_s=0.1)

    with pytest.raises(DriverError) as fault:
        port.zones()

    assert fault.value.code == "TIMEOUT"


def test_an_expired_session_is_opened_again_once_and_the_verb_runs_once(rad: RadLab) -> None:
    port = rad.port()
    port.zones()
    rad.served.end_sessions()

    finished = port.run(ZONE1, ["attach"], PATIENCE_S)

    assert finished.exit_code == 1
    assert rad.served.logins == 2
    assert rad.served.asked("_rad_method/attach") == 2, "the first was not let in"


def test_a_server_that_forgets_every_session_is_not_asked_for_ever(rad: RadLab) -> None:
    port = rad.port()
    port.zones()
    misbehave(rad, only="/Zone/?", raw=b"", status=401)

    with pytest.raises(DriverError) as fault:
        port.zones()

    assert fault.value.code == "LOGIN"
    assert rad.served.logins == 2


def test_a_wrong_password_is_said_without_it(rad: RadLab) -> None:
    settings = rad.settings()
    Path(settings.password_file).write_text("wrong horse\n")

    with pytest.raises(DriverError) as fault:
        rad.port(settings).zones()

    assert fault.value.code == "LOGIN"
    assert "wrong horse" not in str(fault.value)


def test_a_refused_password_is_not_tried_again_before_it_changes(rad: RadLab, monkeypatch: Any) -> None:
    settings = rad.settings()
    right = Path(settings.password_file).read_text()
    Path(settings.password_file).write_text("wrong horse\n")
    port = rad.port(settings)
    logins = lambda: rad.served.asked("authentication")  # noqa: E731

    assert [port.is_reachable() for _ in range(3)] == [False] * 3
    assert logins() == 1

    monkeypatch.setattr(client, "REFUSED_FOR_S", -1.0)
    os.utime(settings.password_file, ns=(1, 1))
    assert [port.is_reachable() for _ in range(2)] == [False] * 2
    assert logins() == 3, "after its time it is tried again"

    Path(settings.password_file).write_text(right)
    assert port.is_reachable()


def test_certificates_of_another_authority_are_refused_on_both_sides(rad: RadLab, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")

    for settings in (rad.settings(ca_file=str(other.ca_file)), rad.by_certificate(other)):
        with pytest.raises(DriverError) as fault:
            rad.port(settings).zones()
        assert fault.value.code in ("CERTIFICATE", "UNREACHABLE")

    assert rad.served.requests == []


def test_a_certificate_that_names_another_host_is_refused(rad: RadLab) -> None:
    with pytest.raises(DriverError) as fault:
        rad.port(rad.settings(host="localhost")).zones()

    assert fault.value.code == "CERTIFICATE"
    assert rad.served.requests == []


def test_nobody_at_the_port_is_unreachable(rad: RadLab) -> None:
    port = rad.port(rad.settings(port=1))

    assert not port.is_reachable()
    with pytest.raises(DriverError) as fault:
        port.run(ZONE1, ["attach"], PATIENCE_S)
    assert fault.value.code == "UNREACHABLE"


WRONG: list[Callable[[dict[str, Any]], object]] = [
    lambda item: item["Zone"].update(name=None),
    lambda item: item["Zone"].update(name="-z"),
    lambda item: item["Zone"].update(name="kz\nzone"),
    lambda item: item["Zone"].update(state=3),
    lambda item: item["Zone"].update(auxstate=None),
    lambda item: item["Zone"].update(auxstate=[1]),
    lambda item: item["Zone"].update(uuid="not a uuid"),
    lambda item: item["Zone"].update(uuid=5),
    lambda item: item["Zone"].pop("brand"),
    lambda item: item.pop("Zone"),
    lambda item: item.update(Zone=[]),
    lambda item: item.update(href=None),
    lambda item: item.update(href="https://elsewhere/api"),
    lambda item: item.update(href="api/com.oracle.solaris.rad.zonemgr/1.7/../../etc"),
    lambda item: item.update(href="api/com.oracle.solaris.rad.zonemgr/1.7/Zone/a\r\nHost: b"),
]


@pytest.mark.parametrize("change", WRONG)
def test_a_list_of_another_form_is_unparsed(rad: RadLab, change: Callable[[dict[str, Any]], object]) -> None:
    def edit(payload: list[dict[str, Any]]) -> list[dict[str, Any]]:
        change(payload[0])
        return payload

    misbehave(rad, only="/Zone/?", edit=edit)

    with pytest.raises(DriverError) as fault:
        rad.port().zones()

    assert fault.value.code == "UNPARSED"


RESULT = {"code": "NONE", "str": "", "stdout": None, "stderr": None}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, (0, "", "")),
        ({"code": 0}, (0, "", "")),
        ({"code": "COMMAND_ERROR", "stderr": "no\n"}, (1, "", "no\n")),
        ({"code": 3, "stdout": "a\n", "stderr": "no\n"}, (1, "a\n", "no\n")),
        ({"code": "INVALID_ZONE_STATE", "str": "it runs"}, (1, "", "it runs")),
        ({"code": 13}, (1, "", "RAD: INVALID_ZONE_STATE\n")),
        ({"code": "SOMETHING_NEW"}, (1, "", "RAD: SOMETHING_NEW\n")),
    ],
)
def test_a_result_becomes_the_end_of_a_command(change: dict[str, Any], expected: tuple[object, ...]) -> None:
    assert answers.finished({**RESULT, **change}) == expected


@pytest.mark.parametrize(
    "payload", [None, [], {}, {**RESULT, "code": None}, {**RESULT, "code": 99}, {**RESULT, "stdout": 1}]
)
def test_a_result_without_its_code_or_text_is_no_result(payload: object) -> None:
    with pytest.raises(DriverError):
        answers.finished(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Zone", "brand", "state", "auxstate", "name", "href", "uuid", "code", "stdout"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_makes_the_readers_of_answers_fail_otherwise_than_by_a_fault(payload: object) -> None:
    for read in (answers.zone_entries, answers.is_global, answers.finished, answers.text, answers.path_of):
        with contextlib.suppress(DriverError):
            read(payload)


@given(
    st.sampled_from(["NONE", 0, "COMMAND_ERROR", 3, True, False, None, "none", 0.0, "0"]),
    st.none() | st.text(max_size=4),
    st.none() | st.text(max_size=4),
)
def test_only_the_code_for_no_error_is_an_end_without_one(code: Any, stdout: str | None, stderr: str | None) -> None:
    payload = {"code": code, "str": "", "stdout": stdout, "stderr": stderr}

    with contextlib.suppress(DriverError):
        is_zero = not isinstance(code, bool) and isinstance(code, int | str) and code in ("NONE", 0)
        assert (answers.finished(payload).exit_code == 0) == is_zero


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "https://x"}, "hostname or address"),
        ({"host": "-x"}, "hostname or address"),
        ({"port": 0}, "port of RAD"),
        ({"ca_file": ""}, "always verified"),
        ({"ca_file": "ca.pem"}, "absolute"),
        ({"username": ""}, "either a certificate"),
        ({"username": "a b"}, "Solaris user"),
        ({"certificate_file": "/c", "key_file": "/k"}, "either a certificate"),
        ({"timeout_s": 0}, "at least 1 s"),
        ({"password_file": "/nowhere"}, "cannot be read"),
    ],
)
def test_settings_that_reach_no_verified_server_are_refused(rad: RadLab, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SetupError, match=words):
        check_rad_settings(rad.settings(**changes))


def test_a_password_or_key_that_others_may_read_is_refused(rad: RadLab) -> None:
    by_password, by_certificate = rad.settings(), rad.by_certificate()
    Path(by_password.password_file).chmod(0o640)
    Path(by_certificate.key_file).chmod(0o604)

    for settings in (by_password, by_certificate):
        with pytest.raises(SetupError, match="chmod 600"):
            check_rad_settings(settings)


def test_a_ca_file_that_holds_no_certificate_is_said(rad: RadLab, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")

    with pytest.raises(SetupError, match="cannot be used"):
        client.RadClient(rad.settings(ca_file=str(empty)))


def test_a_server_certificate_that_expired_is_refused(tmp_path: Path, fleet: Fleet, monkeypatch: Any) -> None:
    issue = Authority.issue
    monkeypatch.setattr(Authority, "issue", lambda self, name, days=-1: issue(self, name, days=days))

    with rad_lab(tmp_path / "late", fleet.global1) as lab, pytest.raises(DriverError) as fault:
        lab.port().zones()

    assert fault.value.code == "CERTIFICATE"
    assert "expired" in fault.value.message
