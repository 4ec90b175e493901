"""A packed batch of reports to the site, and its answer."""

from __future__ import annotations

import gzip
import http.client
import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernelzone import strict
from kernelzone.words import HostId
from kzagent.errors import LinkError
from kzagent.identity import Settings
from kzagent.site import MAX_ANSWER_BYTES, Site

PATH: Final = "/api/agent/v1/reports"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the site says to a batch; nothing in it is believed but the signed `beacon`.

    `epoch`, `seq`: of this agent's reports it holds all up to `seq`. `missing`: those it lacks below its highest.
    `wanted`: the hosts whose full state it lacks. `beacon`: the newest signed time, None while there is none.
    `obligations`: signed too, what this agent's hosts have lost; None when they never lost anything.
    `authority`: by which each of the last authority keys named the next one, the oldest first.
    """

    epoch: str
    seq: int
    missing: tuple[int, ...]
    wanted: tuple[HostId, ...]
    beacon: str | None
    obligations: str | None
    authority: tuple[str, ...]


class Post:
    """Posts batches to the one address of the site."""

    def __init__(self, settings: Settings) -> None:
        self._agent: UUID = settings.agent
        self._site = Site(settings.url, settings.ca_file)

    def batch(self, envelopes: list[bytes]) -> Answer:
        """Return the site's answer to `envelopes`.

        Raises: LinkError when it cannot be reached, refuses, or answers in another form.
        """
        content = {"agent": str(self._agent), "reports": [envelope.decode("utf-8") for envelope in envelopes]}
        # 6, the usual level, takes three times as long and saves a tenth: the signed bytes stand there in base64
        packed = gzip.compress(json.dumps(content).encode("utf-8"), compresslevel=1)
        status, body = self._site.send(PATH, packed, {"Content-Encoding": "gzip"})
        if status != http.client.ACCEPTED:
            raise LinkError(f"the site answered {status}")
        try:
            return strict.read(Answer, strict.load(body, max_bytes=MAX_ANSWER_BYTES), "answer")
        except strict.StrictError as error:
            raise LinkError(f"the site's answer is not one: {error}") from error
