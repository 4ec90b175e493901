import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transcripts import transcript

from kernelzone import zoneadm
from kernelzone.states import ZoneState
from kernelzone.zoneadm import InUse, OutcomeKind, UnparsedOutput, classify, parse_in_use

GLOBAL2 = InUse(
    zone="kzone1",
    owner_hostid="848611d4",
    last_known_state="installed",
    hostname="global2",
    boot_environment_name="solaris-1",
    boot_environment_uuid="69ed2e6a-e25a-6d36-e022-ed7261ed8899",
    last_update_time="Sun Apr 13 20:08:13 2014",
)
KEY = "00112233445566778899aabbccddeeff"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)


def test_the_refused_attach_says_who_uses_the_zone():
    assert parse_in_use(transcript("attach-in-use.txt")) == GLOBAL2


def test_the_in_use_message_is_written_byte_for_byte():
    assert zoneadm.in_use_message(GLOBAL2) == transcript("attach-in-use.txt")
    assert zoneadm.ctime(1397419693) == GLOBAL2.last_update_time


def test_the_other_messages_are_written_byte_for_byte():
    assert zoneadm.wrong_key_message("kzone1") == transcript("attach-wrong-key.txt")
    assert zoneadm.no_host_data_message("kzone1") == transcript("boot-no-host-data.txt")
    assert zoneadm.already_booted_message("test1") == transcript("boot-already-booted.txt")


@settings(max_examples=40)
@given(st.builds(InUse, NAMES, st.from_regex(r"[0-9a-f]{7}[1-9a-f]", fullmatch=True), *[TEXTS] * 5))
def test_every_in_use_message_reads_back(in_use):
    assert parse_in_use(zoneadm.in_use_message(in_use)) == in_use


def test_a_short_hostid_is_padded_to_eight_digits():
    text = transcript("attach-in-use.txt").replace("848611d4", "48611D4")

    assert parse_in_use(text)._asdict()["owner_hostid"] == "048611d4"


def test_the_six_fields_become_what_agents_report():
    assert GLOBAL2.facts().owner_hostid == "848611d4"
    assert GLOBAL2.facts().last_update_time == GLOBAL2.last_update_time


@pytest.mark.parametrize("line", range(6))
def test_a_message_with_a_missing_or_a_repeated_line_is_not_one(line):
    lines = transcript("attach-in-use.txt").splitlines(keepends=True)

    assert parse_in_use("".join(lines[:line] + lines[line + 1 :])) is None
    assert parse_in_use("".join(lines[:line] + lines[line : line + 1] + lines[line:])) is None


def test_a_message_about_two_zones_or_with_control_characters_is_not_one():
    text = transcript("attach-in-use.txt")

    assert parse_in_use(text.replace("zone kzone1 is", "zone kzone2 is")) is None
    assert parse_in_use(text.replace("global2", "glo\x1b[2Jbal2")) is None
    assert parse_in_use(text.replace("global2", "g" * 256)) is None


@pytest.mark.parametrize("posix_s", [2**64 - 1, 2**63, -(2**63), 253402300800])
def test_an_impossible_time_is_unknown_and_no_crash(posix_s):
    assert zoneadm.ctime(posix_s) == "unknown"


def test_list_cp_of_11_3():
    owner, myzone = zoneadm.parse_list_cp(transcript("list-cp-11.3.txt"))

    assert (owner.zone_id, owner.name, owner.state, owner.path) == (0, "global", ZoneState.RUNNING, "/")
    assert (myzone.zone_id, myzone.state, myzone.brand) == (4, ZoneState.INSTALLED, "solaris-kz")
    assert myzone.uuid == "29be88cb-e61a-4204-8d9b-f4a61bf0efdd"
    assert myzone.rest == ("R", "solaris-kz", "")


def test_list_cp_of_an_unavailable_zone_with_a_trailing_blank():
    (zone,) = zoneadm.parse_list_cp(transcript("list-cp-unavailable.txt"))

    assert (zone.zone_id, zone.name, zone.state) == (None, "iscsi", ZoneState.UNAVAILABLE)
    assert zone.rest == ("-", "")


@pytest.mark.parametrize("more", ["", ":-", ":-:", ":-::", ":R:solaris-kz::x:y:z"])
def test_any_number_of_further_fields_is_kept(more):
    (zone,) = zoneadm.parse_list_cp(f"-:kz:installed:/a\\:b::solaris-kz:excl{more}\n")

    assert zone.path == "/a:b"
    assert zone.rest == tuple(more.split(":")[1:])


def test_a_state_that_is_not_known_hides_no_other_zone():
    first, second = zoneadm.parse_list_cp("-:a:dreaming:-::solaris-kz:excl\n1:b:running:-::solaris-kz:excl\n")

    assert (first.state, second.state) == (None, ZoneState.RUNNING)


def test_list_cv_of_11_3():
    zones = zoneadm.parse_list_cv(transcript("list-cv-11.3.txt"))

    assert [(z.zone_id, z.name, z.state, z.path, z.brand) for z in zones] == [
        (0, "global", ZoneState.RUNNING, "/", "solaris"),
        (None, "zone1", ZoneState.CONFIGURED, "/system/zones/zone1", "solaris"),
        (None, "kzone1", ZoneState.CONFIGURED, "", "solaris-kz"),
    ]


def test_list_s_gives_the_auxiliary_states():
    assert zoneadm.parse_list_s(transcript("list-s.txt")) == [
        ("global", ZoneState.RUNNING, ()),
        ("kzone3", ZoneState.RUNNING, ("debugging",)),
    ]


@pytest.mark.parametrize("parse", [zoneadm.parse_list_cp, zoneadm.parse_list_cv, zoneadm.parse_list_s])
@pytest.mark.parametrize("text", ["", "\n \n", "x" * (10 << 20), "Zustand: läuft\n", "a:b:c\n", "\0\n"])
def test_a_list_in_no_known_form_is_unparsed(parse, text):
    with pytest.raises(UnparsedOutput) as unparsed:
        parse(text)

    assert unparsed.value.code == "UNPARSED"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("attach-in-use.txt", OutcomeKind.IN_USE),
        ("attach-wrong-key.txt", OutcomeKind.WRONG_KEY),
        ("boot-already-booted.txt", OutcomeKind.ALREADY_BOOTED),
        ("boot-no-host-data.txt", OutcomeKind.NO_HOST_DATA),
        ("migrate-config-failed.txt", OutcomeKind.CONFIG_FAILED),
    ],
)
def test_each_refusal_is_known_by_its_text_and_contradicted_by_exit_code_0(name, kind):
    assert classify(transcript(name), 1).kind is kind
    assert classify(transcript(name), 0).kind is OutcomeKind.UNPARSED
    assert classify(transcript(name), None).kind is OutcomeKind.UNPARSED


def test_success_is_exit_code_0_with_nothing_or_known_progress():
    assert classify("", 0).kind is OutcomeKind.DONE
    assert classify(transcript("migrate-live.txt"), 0).kind is OutcomeKind.DONE
    assert classify(transcript("migrate-live.txt"), 1).kind is OutcomeKind.UNPARSED


@pytest.mark.parametrize(
    ("output", "exit_code"),
    [
        ("", 1),
        ("Segmentation fault\n", 139),
        ("zone 'kzone1': Fehler: Der Schlüssel ist falsch.\n", 1),
        ("zone 'kzone1': something that later releases say\n", 0),
        ("x" * (10 << 20), 0),
        (zoneadm.wrong_key_message("kzone1") + zoneadm.no_host_data_message("kzone1"), 1),
        (transcript("attach-in-use.txt").splitlines()[0], 1),
        ("Installation: Succeeded\nerror: but not really\n", 0),
    ],
)
def test_what_is_not_recognised_whole_is_unparsed(output, exit_code):
    assert classify(output, exit_code).kind is OutcomeKind.UNPARSED


def test_the_wording_of_states():
    assert classify(zoneadm.not_configured_message("kz"), 1).kind is OutcomeKind.NOT_CONFIGURED
    assert classify("kz: No such zone configured\n", 1).kind is OutcomeKind.NOT_CONFIGURED
    assert classify(zoneadm.wrong_state_message("kz", "installed", "boot"), 1).kind is OutcomeKind.WRONG_STATE
    assert classify(zoneadm.already_message("kz", "installed"), 1).kind is OutcomeKind.WRONG_STATE
    error_5 = transcript("boot-already-booted.txt").splitlines()[1]
    assert classify(error_5.replace("(8)", "(1M)"), 1).kind is OutcomeKind.WRONG_STATE


def test_a_message_about_another_zone_than_the_one_asked_for_is_unparsed():
    outcome = classify(transcript("attach-in-use.txt"), 1, zone="kzone2")

    assert (outcome.kind, outcome.in_use) == (OutcomeKind.UNPARSED, None)


@given(st.text(), st.sampled_from([0, 1, 2, None]))
def test_no_output_makes_the_classifier_fail(text, exit_code):
    assert classify(text, exit_code).kind in OutcomeKind


def test_the_echoed_configuration_is_not_kept():
    text = transcript("migrate-config-failed.txt").replace("memlzr\n", f"memlzr\nadd keysource\nset raw={KEY}\nend\n")

    outcome = classify(text, 1)

    assert outcome.kind is OutcomeKind.CONFIG_FAILED
    assert KEY not in outcome.text
    assert "host-compatible" not in outcome.text
    assert "Error received from the target machine:\nOn line 3:" in outcome.text


CONFIGURATION = f"create -b\nset brand=solaris-kz\nadd keysource\nset raw={KEY}\nend\n"
ECHO = f"before\n-----BEGIN CONFIGURATION-----\n{CONFIGURATION}-----END CONFIGURATION-----\nafter\n"


@pytest.mark.parametrize("start", range(0, len(ECHO), 3))
def test_no_cut_through_an_echoed_configuration_shows_a_key(start):
    for part in (ECHO[:start], ECHO[start:]):
        text = zoneadm.redact_output(part)
        if "raw=" in part or "END CONFIGURATION" in part:
            assert KEY[-8:] not in text
            assert KEY[:8] not in text


def test_live_output_is_redacted_line_by_line():
    lines = list(zoneadm.redact_lines(ECHO.splitlines()))

    assert lines == ["before", "(redacted)", "after"]


@pytest.mark.parametrize(
    "line",
    [f"set raw={KEY}", f'set raw = "{KEY}"', f"        raw: {KEY}", f"raw={KEY[:8]} {KEY[8:16]} {KEY[16:]}"],
)
def test_a_raw_value_outside_any_resource_is_redacted(line):
    assert KEY[:8] not in zoneadm.redact_output(line)
    assert KEY[-8:] not in zoneadm.redact_output(line)


def test_a_megabyte_of_output_that_ends_in_half_a_key_keeps_none_of_it():
    half = f"set raw={KEY}\nend\n-----END CONFIGURATION-----\n"
    text = classify(half + "y" * ((1 << 20) - len(half) + 20), 1).text

    assert KEY[-8:] not in text
    assert len(text) <= 1 << 16
