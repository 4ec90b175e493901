"""The two ways to read an export agree: by its lines where it is plain, and by parsing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kernelzone import zonecfg
from kernelzone.suri import SuriError

TOKENS = {"zonename": "kz1", "global-rootzpool": "rpool"}
PLAIN = (
    'create -b\nset brand=solaris-kz\nset autoboot=true\nset bootargs="kz=d -k -m verbose"\nadd anet\nset id=0\nend\n'
    "add device\nset storage=ISCSI://target:3260/luname.naa.600144f000000001\nset bootpri=1\nset id=1\nend\n"
    "add device\nset storage=nfs://host/export/kz1\nset bootpri=0\nset id=0\nend\n"
    "add suspend\nset path=/system/zones/%{zonename}/suspend\nend\n"
    "add keysource\nset raw=00112233445566778899aabbccddeeff\nend\n"
)

globals_ = st.sampled_from(
    ["brand=solaris-kz", "autoboot=true", "autoboot=false", "autoboot=True", "bootargs=-k", "hostid=0x1", "zzz=1",
     'bootargs="-k -v"', 'bootargs="-k"', 'bootargs=""', "pool=a=b", "zonename=x", "tenant=[a,b]", 'zzz="tab\there"',
     "brand=solaris", "autoboot = true", "fs-allowed=\xe9", "zzz=\x01"]
)  # fmt: skip
inner = st.sampled_from(
    ["id=0", "id=1", "id=01", "id=x", "bootpri=0", "bootpri=-1", 'bootpri="0"', "storage=dev:dsk/c0t5000000000000001d0",
     "storage=nfs://HOST/a//b", "storage=dev:%{id}", "storage=dev:zvol/dsk/%{global-rootzpool}/x", "storage=bad",
     "raw=00112233445566778899aabbccddeeff", "raw=00", "raw=xyz", "path=/a%{zonename}", "mac=add x", "physical=4G"]
)  # fmt: skip
kinds = st.sampled_from(["anet", "net", "fs", "device", "device", "device", "capped-memory", "suspend", "keysource"])


good_globals = st.sampled_from(["autoboot=true", "autoboot=false", 'bootargs="-k -v"', "pool=a", "hostid=0x1", "zzz=1"])
good_inner = st.sampled_from(
    ["id=0", "id=1", "id=2", "id=01", "bootpri=0", "bootpri=3", "storage=dev:dsk/c0t5000000000000001d0", "physical=4G",
     "storage=nfs://HOST/a//b", "raw=00112233445566778899aabbccddeeff"]
)  # fmt: skip
ORDER = ("fs", "net", "anet", "device", "capped-memory", "suspend", "keysource")


def lines_of(kind: str, pairs: list[str]) -> list[str]:
    return [f"add {kind}", *(f"set {pair}" for pair in pairs), "end"]


@st.composite
def good_exports(draw: st.DrawFn) -> str:
    """Return what is plain for the most part."""
    sets = {pair.partition("=")[0]: pair for pair in draw(st.lists(good_globals, max_size=3))}
    found = draw(st.lists(st.tuples(kinds, st.lists(good_inner, max_size=4)), max_size=4))
    lines = ["create -b", "set brand=solaris-kz", *(f"set {one}" for one in sets.values())]
    ordered = sorted(found, key=lambda one: ORDER.index(one[0]))
    for number, (kind, pairs) in enumerate(draw(st.sampled_from([ordered, ordered, found]))):
        own = {pair.partition("=")[0]: pair for pair in [f"id={number}", *pairs]}
        lines += lines_of(kind, list(own.values()))
    return "\n".join([*lines, ""])


@st.composite
def odd_exports(draw: st.DrawFn) -> str:
    """Return what is an export, or nearly one."""
    lines = ["create -b", "set brand=solaris-kz", *(f"set {one}" for one in draw(st.lists(globals_, max_size=3)))]
    for kind, pairs in draw(st.lists(st.tuples(kinds, st.lists(inner, max_size=4)), max_size=4)):
        lines += lines_of(kind, pairs)
    odd = draw(st.sampled_from(["", "# a remark", "add zzz [a,b]", "end", "add device", " set zzz=1", "exit"]))
    return "\n".join([*lines, *([odd] if odd else []), *draw(st.sampled_from([[], [""]]))])


def said(way: Any, *arguments: Any) -> Any:
    try:
        return way(*arguments)
    except (zonecfg.ZoneCfgError, SuriError) as error:
        return error.code


@settings(max_examples=600, deadline=None)
@given(st.one_of(good_exports(), odd_exports()))
def test_what_is_read_by_lines_is_what_parsing_says(export: str) -> None:
    by_lines = said(zonecfg.plain_summary, export)

    if by_lines is not None:
        assert by_lines == said(zonecfg.parsed_summary, export, TOKENS)


def test_the_export_of_a_kernel_zone_is_plain_and_keeps_no_key() -> None:
    found = zonecfg.plain_summary(PLAIN)

    assert found is not None
    assert found == zonecfg.parsed_summary(PLAIN, TOKENS)
    assert found.text == PLAIN.partition("add keysource")[0]
    assert found.autoboot
    assert [one.uri for one in found.boot_storage] == [
        "nfs://host/export/kz1",
        "iscsi://target/luname.naa.600144f000000001",
    ]


def test_a_key_source_in_the_midst_is_taken_out() -> None:
    key = "add keysource\nset raw=00112233445566778899aabbccddeeff\nend\n"
    odd = PLAIN.replace(key, "").replace("add anet\n", f"{key}add anet\n")

    assert zonecfg.plain_summary(odd) == zonecfg.plain_summary(PLAIN)


def test_other_forms_are_left_to_the_parser() -> None:
    forms = [
        PLAIN.replace("\n", "\r\n"),
        "# a remark\n" + PLAIN,
        PLAIN.replace("set autoboot=true\n", "set autoboot=true\nset autoboot=false\n"),
        PLAIN.replace("set id=1", "set id=0"),
        PLAIN.replace("nfs://host/export/kz1", "nfs://host/export/%{zonename}"),
        PLAIN.replace("create -b\n", "create -b\nset zzz=1\n"),
        PLAIN + "add suspend\nend\n",
        PLAIN[:-1],
        "",
    ]

    assert [zonecfg.plain_summary(form) for form in forms] == [None] * len(forms)
