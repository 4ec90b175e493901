"""What a host's commands print, recorded without secrets. Nothing but commands that read is run.

Each output is blanked on its own; then every value of a key source seen anywhere on the host is looked for in all of
them, and an output that still holds one is left out whole.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Final, NamedTuple

from kernelzone import transcripts, words, zoneadm, zonecfg
from kernelzone.suri import SuriError, local_path
from kernelzone.transcripts.bundle import Bundle, Manifest, Transcript, transcript
from kernelzone.words import WordError, ZoneName
from kzagent.drivers.solaris.answers import posix_of
from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.transport import Read, Transport
from kzagent.errors import DriverError

LOGS: Final = "/var/log/zones"
_ABOUT_THE_HOST: Final = (
    ("hostname", ("uname", "-n")),
    ("uname", ("uname", "-a")),
    ("release", ("uname", "-v")),
    ("hostid", ("hostid",)),
    ("beadm", ("beadm", "list", "-H")),
    ("boot-time", ("kstat", "-p", "unix:0:system_misc:boot_time")),
    ("list-cp", ("zoneadm", "list", "-cp")),
    ("list-cv", ("zoneadm", "list", "-cv")),
    ("list-s", ("zoneadm", "list", "-s")),
    ("list-cs", ("zoneadm", "list", "-cs")),
    ("evacuation", ("svccfg", "-s", "system/zones/zone", "listprop", "evacuation/target")),
    ("maintenance", ("sysadm", "maintain", "-l")),
)
# Their fields stand between colons and dots, and hold no address.
_WITHOUT_ADDRESSES: Final = frozenset({"uname", "release", "beadm", "list-cp", "list-cv", "list-s", "list-cs"})
_OF_EVERY_SYSTEM: Final = frozenset({"uname", "hostid", "kstat", "ls", "cat", "pfexec"})
_LOG: Final = re.compile(r"zoneadm\.(\d{8}T\d{6}Z)\.([A-Za-z0-9_.-]{1,64})\.attach\Z")
_STORAGE: Final = re.compile(r"(?m)^\s*set\s+storage\s*=\s*\"?([^\s\";]+)")
_MOST_ERRORS: Final = 4096


class Place(NamedTuple):
    """Where the commands of a host are: `commands` "" for Solaris' own places; and the logs of its zones."""

    commands: str = ""
    logs: str = LOGS


class Question(NamedTuple):
    """One command that only reads, about a zone or about the host."""

    kind: str
    zone: str | None
    command: tuple[str, ...]


class Raw(NamedTuple):
    """One output as the host wrote it, secrets and all: it stays in memory. `blanked`: where that was done already."""

    kind: str
    zone: str | None
    command: tuple[str, ...]
    finished: Finished
    blanked: transcripts.Blanked | None = None


def record(transport: Transport, place: Place, *, pseudonyms: bool) -> Bundle:
    """Return what the host's commands print now. With `pseudonyms` hosts, users and addresses get stand-ins.

    Raises: DriverError when the host cannot be reached at all.
    """
    raw = list(_asked(transport, place))
    secrets = set().union(*(transcripts.values_of_keys(one.finished.stdout) for one in raw))
    return bundle_of(raw, secrets, pseudonyms=pseudonyms)


def bundle_of(raw: Sequence[Raw], secrets: set[str], *, pseudonyms: bool) -> Bundle:
    """Return the bundle of these outputs, without keys and without anything that holds one of `secrets`."""
    stand_ins = _stand_ins(raw) if pseudonyms else None
    entries = [_entry(number, one, stand_ins, secrets) for number, one in enumerate(raw, 1)]
    release = next((text for one, text in entries if one.kind == "release"), "").strip()
    found = Manifest(
        v=1,
        product=f"kzfleet {version('kzfleet')}",
        recorded_at=int(time.time()),
        release=release[:64],
        pseudonyms=pseudonyms,
        transcripts=tuple(one for one, _ in entries),
    )
    return Bundle(found, {one.name: text for one, text in entries})


def _asked(transport: Transport, place: Place) -> Iterator[Raw]:
    about_the_host = [Question(kind, None, command) for kind, command in _ABOUT_THE_HOST]
    *found, logs = _ask(transport, place, [*about_the_host, Question("logs", None, ("ls", place.logs))])
    yield from (*found, logs)
    listed = next(one.finished.stdout for one in found if one.kind == "list-cp")
    newest = _newest_logs(logs.finished.stdout.splitlines())
    for zone in _zones(listed):
        yield from _asked_of_zone(transport, place, zone, newest.get(zone))


def _asked_of_zone(transport: Transport, place: Place, zone: ZoneName, log: str | None) -> Iterator[Raw]:
    service = f"system/zones/zone:{zone}"
    questions = [
        Question("export", zone, tuple(zoneadm.export(zone))),
        Question("info", zone, ("zonecfg", "-z", zone, "info")),
        Question("evacuation", zone, ("svccfg", "-s", service, "listprop", "evacuation/target")),
    ]
    if log:
        questions.append(Question("attach-log", zone, ("cat", f"{place.logs}/{log}")))
    export, *others = _ask(transport, place, questions)
    yield from (export, *others)
    paths = _local_paths(export.finished.stdout)
    yield from _ask(transport, place, [Question("lookup-uri", zone, ("suriadm", "lookup-uri", path)) for path in paths])


def _ask(transport: Transport, place: Place, questions: Sequence[Question]) -> list[Raw]:
    """Return what each command printed, several asked at once; one by one where that fails, to know which it was."""
    reads = [Read(_vector(one.command, place)) for one in questions]
    try:
        answers = transport.read(reads) if reads else []
    except DriverError:
        answers = [_ask_one(transport, read) for read in reads]
    return [Raw(*one, finished) for one, finished in zip(questions, answers, strict=True)]


def _ask_one(transport: Transport, read: Read) -> Finished:
    try:
        return transport.read([read])[0]
    except DriverError as error:
        if error.code == "UNREACHABLE":
            raise
        return Finished(None, "", f"kzagent: {error.message}\n")


def _entry(
    number: int, one: Raw, stand_ins: transcripts.Pseudonyms | None, secrets: Iterable[str]
) -> tuple[Transcript, str]:
    output = one.blanked or transcripts.blank(one.finished.stdout)
    errors = transcripts.blank(one.finished.stderr[:_MOST_ERRORS])
    texts = [output.text, errors.text, *one.command]
    if stand_ins is not None:
        texts = [stand_ins.replaced(text, addresses=one.kind not in _WITHOUT_ADDRESSES) for text in texts]
    about = Transcript(
        "", one.kind, one.zone, tuple(texts[2:]), one.finished.exit_code, texts[1], 0, "", output.places + errors.places
    )
    if any(secret.lower() in text.lower() for secret in secrets for text in texts):
        left_out = "kzagent: left out, for it held a key\n"
        about = replace(about, command=one.command[:1], errors=left_out, blanked=about.blanked + 1)
        texts[0] = ""
    return transcript(number, about, texts[0]), texts[0]


def _stand_ins(raw: Sequence[Raw]) -> transcripts.Pseudonyms:
    hostname = next((one.finished.stdout for one in raw if one.kind == "hostname"), "").strip()
    zones = frozenset(one.zone.lower() for one in raw if one.zone)
    stand_ins = transcripts.Pseudonyms(hostname, zones)
    for one in raw:
        stand_ins.learn(f"{one.finished.stdout}\n{one.finished.stderr}")
    return stand_ins


def _zones(listed: str) -> list[ZoneName]:
    """Return the kernel zones of `list -cp`; a line that no reader understands hides no other one."""
    found = []
    for line in listed.splitlines():
        try:
            (zone,) = zoneadm.parse_list_cp(line)
            if zone.brand == zonecfg.BRAND:
                found.append(words.zone_name(zone.name))
        except (zoneadm.UnparsedOutput, WordError):
            continue
    return found


def _local_paths(export: str) -> list[str]:
    """Return the paths of local storage that an export names without tokens."""
    found = []
    for uri in _STORAGE.findall(export):
        try:
            path = None if "%" in uri else local_path(uri)
        except SuriError:
            continue
        found += [path] if path else []
    return found


def _newest_logs(names: Iterable[str]) -> dict[str, str]:
    """Return the newest attach log by zone; the names sort by their time."""
    found = {}
    for name in sorted(names):
        matched = _LOG.match(name)
        if matched:
            with suppress(DriverError):  # named like a log, at a time that never was
                posix_of(matched[1])
                found[matched[2]] = name
    return found


def _vector(command: Sequence[str], place: Place) -> tuple[str, ...]:
    """Return the words with absolute paths; what needs the rights of a profile is run by `pfexec`."""
    vector = (_path(command[0], place), *command[1:])
    return vector if command[0] in _OF_EVERY_SYSTEM else (_path("pfexec", place), *vector)


def _path(name: str, place: Place) -> str:
    own = "/usr/bin" if name in _OF_EVERY_SYSTEM else "/usr/sbin"
    return f"{place.commands or own}/{name}"
