"""The record's bytes: what is read back, and what is refused."""

import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_answers import AGENT, RECORD_41, VECTORS, record

from kernelzone.hostdata import HostDataError, HostDataState, Record, RecordFlags, record_digest
from kernelzone.words import BootEnvironment


def entries(plaintext=RECORD_41):
    """Return {tag: value} of a plaintext, read without the product's code."""
    found, offset = {}, 0
    while offset <= 2044 and plaintext[offset : offset + 2] != b"\0\0":
        tag, length = struct.unpack_from(">HH", plaintext, offset)
        found[tag] = plaintext[offset + 4 : offset + 4 + length]
        offset += 4 + length
    return found


def packed(pairs):
    return b"".join(struct.pack(">HH", tag, len(value)) + value for tag, value in pairs).ljust(2048, b"\0")


def with_tag(tag, value):
    return packed(sorted({**entries(), tag: value}.items()))


def without(*tags):
    return packed((tag, value) for tag, value in entries().items() if tag not in tags)


def assert_refused(plaintext):
    with pytest.raises(HostDataError) as refused:
        Record.decode(plaintext)
    assert refused.value.code == "HD_RECORD"


@pytest.mark.parametrize("name", ["record_41", "record_42"])
def test_a_known_record_is_read_written_and_named_as_it_was(name):
    plaintext = bytes.fromhex(VECTORS[name]["plaintext"])
    assert Record.decode(plaintext).encode() == plaintext
    assert record_digest(plaintext).hex() == VECTORS[name]["digest"]


def test_the_known_record_says_what_the_in_use_message_needs():
    known = Record.decode(RECORD_41)
    assert known == record(
        boot_environment=BootEnvironment("solaris-1", UUID("69ed2e6a-e25a-6d36-e022-ed7261ed8899")),
        device_guid="naa.600144f00abbccdd",
        time_of_day_offset_s=-3600,
        incarnation=bytes(range(16, 32)),
        obp_variables="auto-boot?=true\nboot-device=disk0",
    )


@pytest.mark.parametrize("tag", [1, 2, 3, 4, 5, 8, 9, 14])
def test_a_record_without_a_mandatory_field_is_refused(tag):
    assert_refused(without(tag))


@pytest.mark.parametrize("tag", [11, 12, 0x8001])
def test_a_record_without_an_optional_field_is_read(tag):
    assert tag not in entries(Record.decode(without(tag)).encode())


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (1, b"\0\2"),
        (1, b"\1"),
        (2, b"\7"),
        (2, b"\0\1"),
        (2, b""),
        (3, b"\x84\x86\x11"),
        (3, b"\x84\x86\x11\xd4\0"),
        (4, b"x" * 256),
        (4, b"glo\x1bbal"),
        (4, b"global\n"),
        (4, b"global\x7f"),
        (4, b"gl\0bal"),
        (4, "glöbal".encode()),
        (5, bytes(15)),
        (6, b"x" * 65),
        (6, b"sol\taris"),
        (7, bytes(17)),
        (8, bytes(4)),
        (9, bytes(31)),
        (10, bytes(33)),
        (11, b"g" * 65),
        (11, b"naa\r"),
        (12, bytes(7)),
        (13, bytes(16)),
        (14, bytes(15)),
        (15, bytes(3)),
        (15, b"\0\0\0\x08"),
        (16, bytes(5)),
        (17, b"host\x1b[2J"),
        (17, b"h" * 256),
        (18, b"not known to this version"),
        (0x7FFF, b""),
        (0x8001, b"a=" + b"b" * 1023),
        (0x8001, b"no equals sign"),
        (0x8001, b"=value"),
        (0x8001, b"a=\x1b"),
        (0x8001, b"\xff=1"),
        (0x8001, b"a=1\n\nb=2"),
    ],
)
def test_a_record_with_a_bad_field_is_refused(tag, value):
    assert_refused(with_tag(tag, value))


@pytest.mark.parametrize("size", [0, 2047, 2049])
def test_a_plaintext_of_another_length_is_refused(size):
    assert_refused(RECORD_41[:size].ljust(size, b"\0"))


def test_tags_out_of_order_or_twice_are_refused():
    pairs = list(entries().items())
    assert_refused(packed([pairs[1], pairs[0], *pairs[2:]]))
    assert_refused(packed([*pairs[:4], pairs[3], *pairs[4:]]))


def test_a_length_that_runs_over_the_end_is_refused():
    used = len(RECORD_41.rstrip(b"\0"))
    assert_refused(RECORD_41[:used] + struct.pack(">HH", 0x9000, 2048) + RECORD_41[used + 4 :])
    room = 2048 - used - 4
    full = RECORD_41[:used] + struct.pack(">HH", 0x9000, room) + bytes(room)
    assert Record.decode(full).unknown == ((0x9000, bytes(room)),)
    assert_refused(full[:used] + struct.pack(">HH", 0x9000, room + 1) + bytes(room))


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 1000, -1])
def test_anything_but_zero_after_the_last_field_is_refused(offset):
    used = len(RECORD_41.rstrip(b"\0"))
    place = 2047 if offset == -1 else used + offset
    assert_refused(RECORD_41[:place] + b"\1" + RECORD_41[place + 1 :])


def test_half_a_boot_environment_is_refused():
    assert_refused(without(6))
    assert_refused(without(7))


def test_tags_this_version_does_not_know_are_kept_from_0x8000_up():
    plaintext = with_tag(0x8000, b"later")
    kept = Record.decode(plaintext)
    assert kept.unknown == ((0x8000, b"later"),)
    assert kept.encode() == plaintext


@pytest.mark.parametrize(
    "fields",
    [
        {"owner_hostid": "848611D"},
        {"owner_hostid": "848611d4 "},
        {"owner_hostid": "84 86 11"},
        {"owner_hostid": "xxxxxxxx"},
        {"owner_hostname": "host\n"},
        {"owner_hostname": "hôst"},
        {"owner_hostname": None},
        {"updated_at": -1},
        {"updated_at": 2**64},
        {"incarnation": bytes(15)},
        {"previous_digest": b""},
        {"warrant_digest": bytes(31)},
        {"time_of_day_offset_s": 2**63},
        {"boot_environment": BootEnvironment("x" * 65, AGENT)},
        {"obp_variables": "a"},
        {"obp_variables": "\ud800=1"},
        {"unknown": ((5, b"again"),)},
        {"unknown": ((0x7000, b""),)},
        {"unknown": ((0x9000, bytes(2048)),)},
    ],
)
def test_a_record_that_could_not_be_read_back_is_not_written(fields):
    with pytest.raises(HostDataError) as refused:
        record(**fields).encode()
    assert refused.value.code == "HD_RECORD"


names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=64)
hostids = st.binary(min_size=4, max_size=4).map(bytes.hex)
digests = st.binary(min_size=32, max_size=32)
records = st.builds(
    Record,
    state=st.sampled_from(HostDataState),
    owner_hostid=hostids,
    owner_hostname=names,
    owner_agent=st.uuids(),
    updated_at=st.integers(0, 2**64 - 1),
    incarnation=st.binary(min_size=16, max_size=16),
    previous_digest=digests,
    boot_environment=st.none() | st.builds(BootEnvironment, names, st.uuids()),
    warrant_digest=st.none() | digests,
    device_guid=st.none() | names,
    time_of_day_offset_s=st.none() | st.integers(-(2**63), 2**63 - 1),
    suspend_image_digest=st.none() | digests,
    flags=st.integers(0, 7).map(RecordFlags),
    previous_owner_hostid=st.none() | hostids,
    previous_owner_hostname=st.none() | names,
    obp_variables=st.none() | names.map(lambda value: f"boot-device={value}"),
    unknown=st.dictionaries(st.integers(0x8002, 0xFFFF), st.binary(max_size=50), max_size=4).map(
        lambda found: tuple(sorted(found.items()))
    ),
)


@settings(deadline=None)
@given(records)
def test_every_record_is_read_back_as_it_was_written(a_record):
    plaintext = a_record.encode()
    assert len(plaintext) == 2048
    assert Record.decode(plaintext) == a_record


@settings(deadline=None)
@given(st.integers(0, 330), st.binary(min_size=1, max_size=8))
def test_an_edited_record_is_refused_or_says_something_else(offset, value):
    edited = RECORD_41[:offset] + value + RECORD_41[offset + len(value) :]
    try:
        found = Record.decode(edited)
    except HostDataError as error:
        found = error.code
    assert isinstance(found, Record) or found == "HD_RECORD"
    assert (found == Record.decode(RECORD_41)) == (edited == RECORD_41)


@settings(deadline=None)
@given(st.binary(max_size=120).map(lambda start: start.ljust(2048, b"\0")))
def test_noise_is_refused_with_one_code(plaintext):
    assert_refused(plaintext)
