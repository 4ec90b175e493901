"""Output that no `zoneadm` should print, and some surely will: never a crash, never a hang, never a wrong state."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import FOLDER, transcript

from kernelzone import zoneadm, zonecfg
from kernelzone.states import ZoneState
from kernelzone.zoneadm import OutcomeKind, UnparsedOutput, classify, parse_in_use
from kernelzone.zonecfg import ZoneCfgError

STATES = [str(state) for state in ZoneState]
LISTS: list[Callable[[str], object]] = [zoneadm.parse_list_cp, zoneadm.parse_list_cv, zoneadm.parse_list_s]
LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12)
FIELD = st.text(st.sampled_from("ab:/ -.\u00e9"), max_size=8)
TRANSCRIPTS = sorted(path.name for path in FOLDER.glob("*.txt"))
REFUSALS = ["attach-in-use.txt", "attach-wrong-key.txt", "boot-already-booted.txt", "boot-no-host-data.txt"]


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A published output with lines lost, repeated, cut, mixed with others, and other line ends."""
    names = draw(st.lists(st.sampled_from(TRANSCRIPTS), min_size=1, max_size=2))
    lines = [line for name in names for line in transcript(name).splitlines()]
    picked = draw(st.lists(st.sampled_from(lines) | LINE, max_size=12))
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n"]))
    text = end.join(picked)
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


@given(mangled(), st.none() | st.integers(-15, 255))
def test_no_output_proves_more_than_its_exit_code(text: str, exit_code: int | None) -> None:
    outcome = classify(text, exit_code, zone="kzone1")

    if outcome.kind is OutcomeKind.DONE:
        assert exit_code == 0
    elif outcome.kind is not OutcomeKind.UNPARSED:
        assert exit_code not in (0, None)
    assert (outcome.in_use is not None) == (outcome.kind is OutcomeKind.IN_USE)


@pytest.mark.parametrize("name", REFUSALS)
@given(before=st.lists(LINE, max_size=3), after=st.lists(LINE, max_size=3))
def test_a_refusal_among_other_lines_is_never_success(name: str, before: list[str], after: list[str]) -> None:
    text = "\n".join([*before, transcript(name), *after])

    assert classify(text, 0).kind is OutcomeKind.UNPARSED


@given(mangled())
def test_a_list_shows_only_states_that_stand_on_its_lines(text: str) -> None:
    for parse in LISTS:
        with contextlib.suppress(UnparsedOutput):
            for zone in parse(text):  # type: ignore[attr-defined]
                assert zone.state is None or zone.state in text


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["-", "0", "17"]),
            st.from_regex(r"[A-Za-z0-9-][A-Za-z0-9_.-]{0,8}", fullmatch=True),
            st.sampled_from(STATES) | st.sampled_from(["in Betrieb", "\u5b9f\u884c\u4e2d", "RUNNING", "run", ""]),
            FIELD,
            st.lists(st.sampled_from(["", "-", "R", "solaris-kz", "none"]), max_size=4),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_list_cp_reads_back_whatever_colons_blanks_and_later_fields_it_has(
    zones: list[tuple[str, str, str, str, list[str]]], end: str
) -> None:
    lines = [
        ":".join([number, name, state, path.replace(":", "\\:"), "", "solaris-kz", "excl", *more, ""])
        for number, name, state, path, more in zones
    ]

    found = zoneadm.parse_list_cp(end.join(lines))

    assert [(zone.name, zone.path, zone.state) for zone in found] == [
        (name, path, state if state in STATES else None) for _, name, state, path, _ in zones
    ]
    assert [zone.rest[:-1] for zone in found] == [tuple(more) for *_, more in zones]


@pytest.mark.parametrize("zero", ["0", "00000000", "000"])
def test_a_hostid_of_zero_names_nobody(zero: str) -> None:
    text = transcript("attach-in-use.txt").replace("848611d4", zero)

    assert parse_in_use(text) is None
    assert classify(text, 1).kind is OutcomeKind.UNPARSED


@pytest.mark.parametrize(
    "text",
    [
        transcript("attach-in-use.txt").replace("is in use by host with", "wird verwendet von Host mit"),
        transcript("attach-in-use.txt").replace("last known state", "letzter bekannter Zustand"),
        transcript("attach-wrong-key.txt").replace("Encryption key is incorrect.", "La clef est incorrecte."),
        transcript("boot-no-host-data.txt").replace("could not read", "konnte nicht lesen"),
        "zone 'kzone1': error: \u30be\u30fc\u30f3\u306f\u4f7f\u7528\u4e2d\u3067\u3059\n",
    ],
)
def test_another_locale_is_unparsed_with_its_text_kept(text: str) -> None:
    outcome = classify(text, 1)

    assert outcome.kind is OutcomeKind.UNPARSED
    assert outcome.text == text


LONG = [
    "-",
    "raw",
    "add ",
    "; ",
    "zone ",
    " ",
    ";",
    "#",
    "raw=",
    " end",
    "add keysource;end;",
    "'",
    "\\:",
    "\r\n",
    "a:",
]


@pytest.mark.slow
@pytest.mark.parametrize("piece", LONG)
def test_a_megabyte_of_anything_is_answered_at_once(piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    started = time.process_time()

    classify(text, 1)
    classify(text, 0)
    for parse in LISTS:
        with contextlib.suppress(UnparsedOutput):
            parse(text)
    with contextlib.suppress(ZoneCfgError):
        zonecfg.parse(f"create -b\nset brand=solaris-kz\n{text[: 255 << 10]}")

    assert time.process_time() - started < 10, "it takes a second or two; what grows with the square takes an hour"


@pytest.mark.slow
@pytest.mark.parametrize("fill", ["x", "x\n", "\n", "-"])
def test_ten_megabytes_are_unparsed_and_kept_in_part(fill: str) -> None:
    outcome = classify(fill * ((10 << 20) // len(fill)), 0)

    assert outcome.kind is OutcomeKind.UNPARSED
    assert len(outcome.text) <= 1 << 16
