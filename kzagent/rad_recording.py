"""What RAD answers, recorded without secrets: most of its answers are published nowhere, and ours are assumptions."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any, Final

from kernelzone import transcripts
from kernelzone.transcripts import Bundle
from kzagent.drivers.solaris.port import Finished
from kzagent.drivers.solaris.rad import answers, host_facts
from kzagent.drivers.solaris.rad.client import RadClient
from kzagent.drivers.solaris.rad.port import MINORS, ZONEMGR
from kzagent.errors import DriverError
from kzagent.recording import Raw, bundle_of

_ARGUMENTS: Final[tuple[dict[str, Any], ...]] = ({"reimport": True}, {"includeEdits": False, "liveMode": False})


def record_rad(client: RadClient, *, pseudonyms: bool) -> Bundle:
    """Return what RAD answers to everything the agent ever reads. Raises: DriverError when it cannot be reached."""
    raw = list(_asked(client))
    strings = [text for one in raw for text in transcripts.strings_of(one.finished.stdout)]
    secrets = set().union(*map(transcripts.values_of_keys, strings))
    return bundle_of(raw, secrets, pseudonyms=pseudonyms)


def _asked(client: RadClient) -> Iterator[Raw]:
    newest = None
    for minor in MINORS:
        one = _ask(client, "rad-zone-info", None, f"{ZONEMGR}/1.{minor}/ZoneInfo/?_rad_detail", None)
        yield one
        if newest is None and one.finished.exit_code == 0:
            newest = minor
    for kind, path, arguments in host_facts.questions():
        yield _ask(client, kind, None, path, arguments)
    if newest is None:
        return
    zones = _ask(client, "rad-zones", None, f"{ZONEMGR}/1.{newest}/Zone/?_rad_detail", None)
    yield zones
    for entry in _entries(zones.finished.stdout):
        for arguments in _ARGUMENTS:
            path = f"{entry.path}/_rad_method/exportConfig"
            yield _ask(client, "rad-export", entry.placement.name, path, arguments)


def _ask(client: RadClient, kind: str, zone: str | None, path: str, arguments: dict[str, Any] | None) -> Raw:
    """Return one answer. Its exit code is 0 for HTTP 200, else the status."""
    verb = "GET" if arguments is None else "PUT"
    command = (verb, path, *([] if arguments is None else [json.dumps(arguments)]))
    try:
        status, content = client.raw(verb, path, arguments)
    except DriverError as error:
        if error.code in ("UNREACHABLE", "CERTIFICATE", "LOGIN", "PASSWORD"):
            raise
        return Raw(kind, zone, command, Finished(None, "", f"kzagent: {error.message}\n"))
    text = content.decode("utf-8", "replace")
    exit_code = 0 if status == http.client.OK else status
    return Raw(kind, zone, command, Finished(exit_code, text, ""), transcripts.blank_answer(text))


def _entries(text: str) -> list[answers.ZoneEntry]:
    """Return the kernel zones of the list, none when it is in no form we know: it is recorded all the same."""
    try:
        return answers.zone_entries(json.loads(text)["payload"])
    except (ValueError, RecursionError, KeyError, TypeError, DriverError):
        return []
