"""What a portable host remembers between two looks never hides a change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from portable_lab import Lab, must

from kernelzone.facts import ReadingFacts
from kernelzone.portable import files, reading, suspension, verbs

# No process is started, but every step is flushed to the disk: too slow for `make fast`.
pytestmark = pytest.mark.processes


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes every file old enough to be remembered."""

    def make_old() -> None:
        later = time.time_ns() + 10 * 10**9
        monkeypatch.setattr(files.time, "time_ns", lambda: later)

    return make_old


def test_a_file_nobody_touched_is_not_read_again(tmp_path: Path, old: Callable[[], None]) -> None:
    (tmp_path / "file").write_bytes(b"one")
    old()

    first = files.read_bytes(f"{tmp_path}/file")

    assert files.read_bytes(f"{tmp_path}/file") is first == b"one"


def test_a_file_replaced_by_one_of_the_same_size_is_read_again(tmp_path: Path, old: Callable[[], None]) -> None:
    files.write_text(tmp_path / "file", "one")
    old()
    files.read_bytes(f"{tmp_path}/file")

    files.write_text(tmp_path / "file", "two")

    assert files.read_bytes(f"{tmp_path}/file") == b"two"


def test_a_file_changed_in_place_with_its_time_put_back_is_read_again(tmp_path: Path, old: Callable[[], None]) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = path.stat()
    old()
    files.read_bytes(str(path))
    time.sleep(0.02)  # more than a tick of the file system's clock

    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert files.read_bytes(str(path)) == b"two"


def test_a_young_file_changed_within_one_tick_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # as on a file system whose clock ticks slowly: nothing that stat says tells one content from the other
    monkeypatch.setattr(files, "_identity", lambda found: (found.st_ino, found.st_size))
    path = tmp_path / "file"
    found = set()
    for number in range(200):
        path.write_bytes(b"%03d" % number)
        found.add(files.read_bytes(str(path)))

    assert len(found) == 200


def test_a_write_that_does_a_part_of_its_work_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full takes a part without complaint: half a key or half a suspended memory is none."""
    write = os.write
    monkeypatch.setattr(files.os, "write", lambda fd, content: write(fd, bytes(content)[:5]))

    files.write_text(tmp_path / "key", "0123456789abcdef")
    suspension.store(tmp_path / "image", b"sealed memory")

    assert (tmp_path / "key").read_text() == "0123456789abcdef"
    assert (tmp_path / "image").read_bytes() == b"sealed memory"


def test_a_file_that_is_gone_is_not_remembered(tmp_path: Path, old: Callable[[], None]) -> None:
    (tmp_path / "file").write_bytes(b"one")
    old()
    files.read_bytes(f"{tmp_path}/file")
    (tmp_path / "file").unlink()

    with pytest.raises(FileNotFoundError):
        files.read_bytes(f"{tmp_path}/file")


def test_host_data_that_did_not_change_is_opened_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.installed()
    first = read(lab)
    monkeypatch.setattr(reading, "read_region", lambda *slots, **under: pytest.fail("opened again"))

    second = read(lab)

    assert second.nonce != first.nonce
    assert replace(second, nonce=first.nonce, at=first.at) == first


def test_a_changed_bit_is_seen_at_once_and_seen_to_be_gone(lab: Lab) -> None:
    lab.installed()
    whole, image = read(lab), lab.storage_path().read_bytes()
    for at in (200, 524_288 + 200):
        lab.storage_path().write_bytes(image[:at] + bytes((image[at] ^ 1,)) + image[at + 1 :])
        assert read(lab).slot_errors == {"A" if at < 524_288 else "B": "HD_CHECKSUM"}

    lab.storage_path().write_bytes(image)

    assert read(lab).raw_sha256 == whole.raw_sha256
    assert read(lab).status == "CLEAN"


def test_another_key_opens_nothing_that_the_first_one_opened(lab: Lab) -> None:
    lab.installed()
    key = lab.global2.placement("kzone1").key()
    assert read(lab).status == "CLEAN"

    lab.global2.placement("kzone1").save_key(bytes(16))
    assert (read(lab).status, read(lab).record) == ("UNREADABLE", None)

    lab.global2.placement("kzone1").save_key(key or b"")
    assert read(lab).status == "CLEAN"


def test_the_same_bytes_below_a_higher_mark_are_a_rollback(lab: Lab) -> None:
    lab.installed()
    assert read(lab).warning is None

    assert read(lab, high_water=read(lab).generation + 1).warning == "ROLLBACK"
    assert read(lab).warning is None


def test_what_a_verb_writes_is_in_the_next_reading(lab: Lab) -> None:
    lab.installed()
    before = read(lab)

    must(verbs.detach(lab.global2, "kzone1"))

    assert read(lab).generation == before.generation + 1
    assert lab.global2.placement_facts("kzone1").state == "configured"


def read(lab: Lab, high_water: int = 0) -> ReadingFacts:
    (found,) = lab.global2.read("kzone1", high_water=high_water)
    return found
