"""What our readers make of a bundle: kept beside it, so that a change of a reader shows on every host ever recorded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from kernelzone import zoneadm, zonecfg
from kernelzone.suri import SuriError
from kernelzone.transcripts.blanking import blank_answer, strings_of, values_of_keys
from kernelzone.transcripts.bundle import Bundle
from kernelzone.zoneadm import UnparsedOutput
from kernelzone.zonecfg import ZoneCfgError

_ZEROS: Final = re.compile(r"[0x]+\Z")


def found_by_readers(bundle: Bundle) -> dict[str, Any]:
    """Return what each reader says, by file: JSON values, or {"code": ...} where it refuses."""
    return {
        one.name: _READERS[one.kind](bundle.texts[one.name])
        for one in bundle.manifest.transcripts
        if one.kind in _READERS and one.exit_code == 0
    }


def secrets_left(bundle: Bundle) -> list[str]:
    """Return the names of files in which something looks like a key still; a bundle with one is not passed on."""
    return sorted(name for name, text in bundle.texts.items() if _holds_key(text))


def _holds_key(text: str) -> bool:
    found = set().union(*map(values_of_keys, strings_of(text)))
    values = {value for value in found if not _ZEROS.match(value.strip("\"'").removeprefix("0x"))}
    return bool(values - {"(redacted)"}) or blank_answer(text).text != text


def _list_cp(text: str) -> Any:
    return _or_code(lambda: [zone._asdict() for zone in zoneadm.parse_list_cp(text)])


def _list_cv(text: str) -> Any:
    return _or_code(lambda: [zone._asdict() for zone in zoneadm.parse_list_cv(text)])


def _list_s(text: str) -> Any:
    return _or_code(lambda: [line._asdict() for line in zoneadm.parse_list_s(text)])


def _export(text: str) -> Any:
    def read() -> Any:
        found = zonecfg.parse(text)
        return {
            "brand": found.value("brand"),
            "autoboot": found.value("autoboot"),
            "properties": sorted(one.name for one in found.properties),
            "resources": sorted(one.type for one in found.resources),
            "key_source": sorted(p.name for one in found.resources_of("keysource") for p in one.properties),
        }

    return _or_code(read)


def _attach_log(text: str) -> Any:
    outcome = zoneadm.classify(text, 1)
    return {"kind": str(outcome.kind), "in_use": outcome.in_use._asdict() if outcome.in_use else None}


def _or_code(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (UnparsedOutput, ZoneCfgError, SuriError) as error:
        return {"code": error.code}


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "list-cp": _list_cp,
    "list-cv": _list_cv,
    "list-s": _list_s,
    "export": _export,
    "attach-log": _attach_log,
}
