"""Where agents post their reports: POST /api/agent/v1/reports. Their signatures are the only sign-in.

A batch is taken whole or not at all; a report that is signed but senseless is taken, and ingestion refuses it, so
that one of them does not stop the others.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.fleet.models import Agent
from apps.fleet.selectors import trusted_agent
from apps.jobs.models import SignedBeacon, SignedObligations
from apps.jobs.services.doubles import Posted
from apps.jobs.services.inbox import open_posted, store_reports
from kernelzone import strict
from kernelzone.envelope import EnvelopeError
from kernelzone.words import WordError, canonical_uuid

MAX_UNPACKED_BYTES: Final = 8 * 1024 * 1024
MAX_PACKED_BYTES: Final = MAX_UNPACKED_BYTES
MAX_REPORTS: Final = 200
PROBLEM: Final = "application/problem+json"

View = Callable[[HttpRequest], JsonResponse]


class NotTaken(Exception):
    """A batch that is refused whole. `code` is stable; nothing of it was stored."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def _refusals_are_answered(view: View) -> View:
    @wraps(view)
    def answered(request: HttpRequest) -> JsonResponse:
        try:
            return view(request)
        except NotTaken as refused:
            body = {"code": refused.code, "status": refused.status, "title": refused.message}
            return JsonResponse(body, status=refused.status, content_type=PROBLEM)
        except OperationalError:
            body = {"code": "fault", "status": 503, "title": "the database does not answer at the moment"}
            return JsonResponse(body, status=503, content_type=PROBLEM, headers={"Retry-After": "5"})

    return answered


@csrf_exempt
@never_cache
@require_POST
@_refusals_are_answered
def reports(request: HttpRequest) -> JsonResponse:
    """Return 202 with what the site holds, lacks and wants, and the newest signed beacon."""
    agent_uuid, envelopes = _read_batch(_unpacked(request))
    agent = _agent(agent_uuid)
    held = store_reports(agent, [_opened(agent, number, text) for number, text in enumerate(envelopes)])
    if held is None:
        raise NotTaken(403, "report_agent", "no trusted agent has this uuid")
    beacon, authority = SignedBeacon.objects.values_list("envelope", "authority").first() or (None, [])
    lost = SignedObligations.objects.filter(agent=agent).values_list("envelope", flat=True).first()
    said = {"beacon": beacon, "obligations": lost, "authority": authority}
    return JsonResponse({**held._asdict(), **said}, status=202)


def _unpacked(request: HttpRequest) -> bytes:
    """Return the body, unpacked, never more than the limit of it in memory."""
    if request.content_type != "application/json":
        raise NotTaken(415, "report_content_type", "a batch of reports is application/json")
    try:
        body = request.body
    except RequestDataTooBig:
        raise NotTaken(413, "report_too_large", "a batch has at most 8 MiB") from None
    if len(body) > MAX_PACKED_BYTES:
        raise NotTaken(413, "report_too_large", "a batch has at most 8 MiB")
    if request.headers.get("Content-Encoding", "identity") != "gzip":
        raise NotTaken(415, "report_content_encoding", "a batch of reports is packed with gzip")
    return _gunzip(body)


def _gunzip(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = unpacking.decompress(body, MAX_UNPACKED_BYTES + 1)
    except zlib.error:
        raise NotTaken(400, "report_format", "the batch is not packed with gzip") from None
    if len(content) > MAX_UNPACKED_BYTES:
        raise NotTaken(413, "report_too_large", "a batch has at most 8 MiB")
    if not unpacking.eof or unpacking.unused_data:
        raise NotTaken(400, "report_format", "the batch ends too early, or something follows it")
    return content


def _read_batch(content: bytes) -> tuple[str, list[Any]]:
    try:
        fields = strict.load(content, max_bytes=MAX_UNPACKED_BYTES)
    except strict.StrictError as error:
        raise NotTaken(400, "report_format", f"the batch is not acceptable JSON: {error}") from None
    if not isinstance(fields, dict) or set(fields) != {"agent", "reports"} or not isinstance(fields["reports"], list):
        raise NotTaken(400, "report_format", "a batch has the fields agent and reports")
    if len(fields["reports"]) > MAX_REPORTS:
        raise NotTaken(413, "report_too_large", f"a batch has at most {MAX_REPORTS} reports")
    return fields["agent"], fields["reports"]


def _agent(agent_uuid: object) -> Agent:
    try:
        agent = trusted_agent(canonical_uuid(agent_uuid))
    except WordError:
        raise NotTaken(400, "report_format", "the agent is not a uuid") from None
    if agent is None:
        raise NotTaken(403, "report_agent", "no trusted agent has this uuid")
    return agent


def _opened(agent: Agent, number: int, text: object) -> Posted:
    try:
        if not isinstance(text, str):
            raise EnvelopeError("FORMAT", "an envelope is text")
        return open_posted(agent, text.encode())
    except (EnvelopeError, UnicodeEncodeError) as error:
        if isinstance(error, EnvelopeError) and error.code == "SIGNATURE":
            raise NotTaken(403, "report_signature", f"report {number} is not signed by this agent") from None
        raise NotTaken(400, "report_format", f"report {number} is not a signed report") from None
