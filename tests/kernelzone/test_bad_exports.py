"""Exports as hosts may write them: comments, `;`, lists, quotes, carriage returns, properties that nobody knows."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from transcripts import transcript

from kernelzone import suri, zonecfg
from kernelzone.zonecfg import Configuration, ZoneCfgError, boot_storage, in_export_order, parse, resolve, write

EXPORT = transcript("export-puppet.txt")
TOKENS = {"zonename": "kzone1", "global-rootzpool": "rpool"}
UNKNOWN = ["set host-compatible=memlzr", "set x-later=[a,b]", 'set x-odd="a; b # c"', "set x-more=(a=b,c=d)"]
RESOURCES = ["add verified-boot\nset policy=none\nend", "add x-later\nset a=b\nadd c d\nend", "add keysource\nend"]


@st.composite
def noisy(draw: st.DrawFn) -> tuple[str, str]:
    """Return (a plain export, the same one with all the freedom that the grammar leaves)."""
    plain = EXPORT.splitlines()
    extra = [
        *draw(st.lists(st.sampled_from(UNKNOWN), unique=True)),
        *draw(st.lists(st.sampled_from(RESOURCES), unique=True)),
    ]
    plain += [line for text in extra for line in text.splitlines()]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = []
    for line in plain:
        blank = draw(st.sampled_from(["", " ", "\t", "  \t"]))
        lines += draw(st.sampled_from([[], [""], ["# a comment; set brand=solaris"], ["   #"], [";;"]]))
        lines.append(f"{blank}{_spaced(line, draw(st.booleans()))}{draw(st.sampled_from(['', ' ', ';', ' ; ']))}")
    return "\n".join(plain), end.join(lines)


def _spaced(line: str, spaced: bool) -> str:
    """Blanks around the first `=` of an assignment mean nothing."""
    return line.replace("=", " = ", 1) if spaced and line.startswith("set ") else line


@given(noisy())
def test_what_means_nothing_changes_nothing(texts: tuple[str, str]) -> None:
    plain, with_noise = texts

    assert parse(with_noise) == parse(plain)
    assert parse(write(parse(with_noise))) == in_export_order(parse(plain))


@given(noisy(), st.integers(0, 800), st.integers(0, 40))
def test_an_export_with_a_hole_is_refused_or_means_what_it_says(texts: tuple[str, str], at: int, size: int) -> None:
    text = texts[1][:at] + texts[1][at + size :]

    with contextlib.suppress(ZoneCfgError, suri.SuriError):
        found = parse(text)
        for device in boot_storage(resolve(found, TOKENS)):
            assert device.id == 0
        _says_what_stands_there(found, text)


def _says_what_stands_there(configuration: Configuration, text: str) -> None:
    for found in configuration.properties:
        assert found.name in text
        assert not isinstance(found.value, str) or found.value in text


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise_than_by_refusing(raw: bytes) -> None:
    with contextlib.suppress(ZoneCfgError):
        parse(raw)
    with contextlib.suppress(ZoneCfgError):
        parse(b"create -b\nset brand=solaris-kz\n" + raw)
    zonecfg.redact(raw.decode("utf-8", "replace"))


@given(st.text(max_size=60), st.text(st.sampled_from("lu:iscsi/.nadev%{}[]:@0123"), max_size=40))
def test_no_storage_uri_makes_its_reader_fail_otherwise_than_by_refusing(anything: str, likely: str) -> None:
    for uri in (anything, likely, f"dev:{anything}", f"lu:luname.naa.{likely}", f"iscsi://h/{likely}"):
        with contextlib.suppress(suri.SuriError):
            assert suri.normalise(suri.normalise(uri)) == suri.normalise(uri)
