"""A bundle is what its manifest says, and holds nothing that looks like a key."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest
from recorded import KEY, LIST, bundle_of

from kernelzone.transcripts import (
    BundleError,
    found_by_readers,
    read_bundle,
    secrets_left,
    write_bundle,
)


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_a_bundle_reads_back_and_only_its_owner_may_read_it(tmp_path: Path, name: str) -> None:
    bundle, target = bundle_of(("list-cp", LIST), ("export", "create -b\n\u00e9\n")), tmp_path / name

    write_bundle(bundle, target)

    assert read_bundle(target) == bundle
    assert stat.S_IMODE(target.stat().st_mode) & 0o077 == 0
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(bundle, target)


def test_a_file_that_was_changed_missing_or_added_is_noticed(tmp_path: Path) -> None:
    for number, change in enumerate(
        [
            lambda place: (place / "001-list-cp.kzone1.txt").write_text("other"),
            lambda place: (place / "001-list-cp.kzone1.txt").unlink(),
            lambda place: (place / "more.txt").write_text("more"),
            lambda place: (place / "manifest.json").write_text("{}"),
            lambda place: (place / "manifest.json").unlink(),
        ]
    ):
        place = tmp_path / str(number)
        write_bundle(bundle_of(("list-cp", LIST)), place)
        change(place)
        with pytest.raises(BundleError):
            read_bundle(place)


@pytest.mark.parametrize("name", ["../../outside.txt", "/etc/outside.txt", "001-list-cp.txt/../../x"])
def test_names_in_a_tar_file_lead_nowhere(tmp_path: Path, name: str) -> None:
    target = tmp_path / "bundle.tar"
    with tarfile.open(target, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"bad"))

    with pytest.raises(BundleError):
        read_bundle(target)

    assert [path.name for path in tmp_path.iterdir()] == ["bundle.tar"]


def test_what_is_no_bundle_is_said(tmp_path: Path) -> None:
    (tmp_path / "file.tar").write_text("no tar")
    for source in (tmp_path / "file.tar", tmp_path / "nowhere", tmp_path):
        with pytest.raises(BundleError):
            read_bundle(source)


def test_the_readers_say_what_they_find_or_why_not() -> None:
    key = "add keysource\nset raw=00000000000000000000000000000000\nend\n"
    export = f"create -b\nset brand=solaris-kz\nset autoboot=true\n{key}"
    bundle = bundle_of(("list-cp", LIST), ("export", export), ("export", "nonsense"), ("info", "x"))

    found = found_by_readers(bundle)

    assert found["001-list-cp.kzone1.txt"][0]["path"] == "/a:b"
    assert found["002-export.kzone1.txt"]["key_source"] == ["raw"]
    assert found["003-export.kzone1.txt"] == {"code": "ZONECFG_COMMAND"}
    assert "004-info.kzone1.txt" not in found


@pytest.mark.parametrize("text", [f"set raw={KEY}\n", f"add keysource\nset raw={KEY}\nend\n", f"the key {KEY}\n"])
def test_a_bundle_with_a_key_in_it_is_recognised(text: str) -> None:
    assert secrets_left(bundle_of(("list-cp", LIST), ("export", text))) == ["002-export.kzone1.txt"]
    assert secrets_left(bundle_of(("list-cp", LIST))) == []
