"""Slots on real files: whole writes, equal readings, and one code for what the device refuses."""

import os

import pytest
from known_answers import images

from kernelzone.hostdata import REGION_BYTES, SLOT_OFFSETS, Device, HostDataError, device

A, B = images("committed 41")


@pytest.fixture
def storage(tmp_path):
    (tmp_path / "disk").touch()
    found = Device(tmp_path / "disk")
    found.initialise_region()
    return found


def refusal(action, *args):
    with pytest.raises(HostDataError) as refused:
        action(*args)
    return refused.value.code


def test_a_fresh_region_is_one_mebibyte_of_zeros(storage):
    assert storage.path.read_bytes() == bytes(REGION_BYTES)
    assert storage.is_blank()


def test_slots_are_written_where_the_format_says_and_nowhere_else(storage):
    storage.write_slot(0, A)
    storage.write_slot(1, B)
    content = storage.path.read_bytes()
    assert (content[:4096], content[524_288:528_384]) == (A, B)
    assert content[4096:524_288].strip(b"\0") == content[528_384:].strip(b"\0") == b""
    assert storage.read_slots() == (A, B)
    assert type(storage.read_slots()[0]) is bytes
    assert not storage.is_blank()


def test_the_guests_disk_behind_the_region_is_left_alone(storage):
    with open(storage.path, "ab") as file:
        file.write(b"guest")
    storage.write_slot(1, B)
    storage.tear_slot(0, A)
    assert storage.path.read_bytes()[REGION_BYTES:] == b"guest"


def test_a_region_that_holds_anything_is_not_initialised(storage):
    storage.write_slot(1, B)
    assert refusal(storage.initialise_region) == "HD_NOT_BLANK"
    assert storage.read_slots() == (bytes(4096), B)


@pytest.mark.parametrize("size", [0, 4095, 4097])
def test_an_image_of_another_length_is_not_written(storage, size):
    assert refusal(storage.write_slot, 0, bytes(size)) == "HD_LENGTH"
    assert storage.is_blank()


def test_a_device_that_ends_early_shows_what_it_has(tmp_path):
    (tmp_path / "disk").write_bytes(A + bytes(10))
    assert Device(tmp_path / "disk").read_slots() == (A, b"")


def test_a_device_that_is_not_there_has_one_code(tmp_path):
    absent = Device(tmp_path / "absent")
    assert refusal(absent.read_slots) == refusal(absent.write_slot, 0, A) == "HD_IO"
    assert not absent.path.exists()
    assert refusal(Device(tmp_path).read_slots) == "HD_IO"  # a folder


def test_a_torn_slot_has_new_bytes_and_old_ones(storage):
    storage.write_slot(0, A)
    storage.tear_slot(0, B)
    assert storage.read_slots()[0] == B[:2048] + A[2048:]


def test_a_short_write_is_a_fault_and_is_not_tried_again(storage, monkeypatch):
    calls = []

    def short(fd, content, offset):
        calls.append(offset)
        return len(content) - 512

    monkeypatch.setattr(device.os, "pwrite", short)
    assert refusal(storage.write_slot, 1, B) == "HD_IO"
    assert calls == [SLOT_OFFSETS[1]]


@pytest.mark.parametrize("call", ["pwrite", "fsync", "open"])
def test_a_failing_call_is_a_fault_and_is_not_tried_again(storage, monkeypatch, call):
    calls = []

    def fails(*args):
        calls.append(call)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(device.os, call, fails)
    assert refusal(storage.write_slot, 0, A) == "HD_IO"
    assert calls == [call]


def test_a_slot_is_written_synchronously_in_one_call(storage, monkeypatch):
    flags, sizes = [], []
    open_, pwrite = os.open, os.pwrite
    monkeypatch.setattr(device.os, "open", lambda path, how: flags.append(how) or open_(path, how))
    monkeypatch.setattr(device.os, "pwrite", lambda fd, b, at: sizes.append(len(b)) or pwrite(fd, b, at))
    storage.write_slot(0, A)
    assert flags[0] & os.O_DSYNC
    assert flags[0] & os.O_RDWR
    assert sizes == [4096]


def writer_between_reads(storage, monkeypatch, images_in_turn):
    """Let somebody write slot A before every reading of it, as long as there are images."""
    preadv, turn = os.preadv, iter(images_in_turn)

    def read(fd, buffers, offset):
        image = next(turn, None) if offset == 0 else None
        if image is not None:
            storage.write_slot(0, image)
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(device.os, "preadv", read)


def test_a_slot_that_keeps_changing_is_refused_after_three_tries(storage, monkeypatch):
    writer_between_reads(storage, monkeypatch, [A, B] * 3)
    assert refusal(storage.read_slots) == "HD_UNSTABLE"


def test_a_slot_that_comes_to_rest_is_read_as_it_rests(storage, monkeypatch):
    storage.write_slot(1, B)
    writer_between_reads(storage, monkeypatch, [A, B, A, B, A])
    assert storage.read_slots() == (A, B)


def test_a_file_system_without_direct_reading_is_read_all_the_same(storage, monkeypatch):
    storage.write_slot(0, A)
    open_ = os.open

    def without_direct(path, flags):
        if flags & os.O_DIRECT:
            raise OSError(22, "Invalid argument")
        return open_(path, flags)

    monkeypatch.setattr(device.os, "open", without_direct)
    assert storage.read_slots()[0] == A
    assert not storage.is_direct()
