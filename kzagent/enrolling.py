"""Enrolling with the site: ask by a join token, show six words, wait for a person, write `agent.json`."""

from __future__ import annotations

import getpass
import http.client
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kernelzone import strict
from kernelzone.enrolment import (
    DELIVERY,
    TOKEN_PREFIX,
    Delivery,
    Enrolment,
    Question,
    SealingKey,
    state,
    token_sha256,
)
from kernelzone.envelope import raw_public_key
from kernelzone.fingerprint import fingerprint
from kernelzone.sealing import SealError, unseal
from kernelzone.words import HostId, shown
from kzagent import draft as drafts
from kzagent.draft import Draft
from kzagent.errors import LinkError, SetupError
from kzagent.identity import Settings
from kzagent.site import Answered, Site

ENROL: Final = "/api/agent/v1/enrol"
ENROLMENT: Final = "/api/agent/v1/enrolment"
ASK_EVERY_S: Final = 2.0
# what waits does not end because the site is restarted meanwhile
GIVE_UP_AFTER_S: Final = 300.0
TELL_EVERY_S: Final = 60.0
MAX_TOKEN_BYTES: Final = 4096

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Enrolling:
    """One enrolment that was begun in a directory."""

    directory: Path
    draft: Draft
    key: Ed25519PrivateKey
    sealing_key: X25519PrivateKey
    site: Site

    @classmethod
    def of(cls, directory: Path) -> Enrolling:
        """Return the enrolment that was begun in `directory`. Raises: SetupError."""
        draft, key, sealing_key = drafts.load(directory)
        return cls(directory, draft, key, sealing_key, Site(draft.url, draft.ca_file))

    def words(self) -> tuple[str, ...]:
        """Return the six words that a person compares."""
        return fingerprint(raw_public_key(self.key), self.sealing_key.public_key().public_bytes_raw())

    def ask(self, token: str, hosts: Iterable[HostId]) -> None:
        """Ask the site to be taken in; said twice it changes nothing. Raises: SetupError, LinkError."""
        agent = self.draft.agent
        enrolment = Enrolment(
            v=1,
            agent=agent,
            name=self.draft.name,
            public_key=raw_public_key(self.key).hex(),
            hosts=tuple(sorted(hosts)),
            token_sha256=token_sha256(token),
        )
        sealing = SealingKey(1, agent, self.sealing_key.public_key().public_bytes_raw().hex())
        said = {"token": token, "enrolment": state(enrolment, self.key), "sealing": state(sealing, self.key)}
        answered = self.site.post(ENROL, said)
        if answered.status != http.client.ACCEPTED:
            raise SetupError(refusal(answered))

    def standing(self) -> tuple[str, str | None] | None:
        """Return the state and what was delivered, still sealed; None when the site does not know this agent.

        Raises: LinkError, SetupError.
        """
        question = state(Question(1, self.draft.agent, int(time.time())), self.key)
        answered = self.site.post(ENROLMENT, {"agent": str(self.draft.agent), "question": question})
        if answered.status == http.client.NOT_FOUND:
            return None
        if answered.status >= http.client.INTERNAL_SERVER_ERROR:
            raise LinkError(f"the site answered {answered.status}")
        if answered.status != http.client.OK:
            raise SetupError(refusal(answered))
        found = answered.fields()
        return str(found.get("state")), found.get("delivery")

    def wait(self, tell: Tell, pause: Callable[[float], object] = time.sleep) -> Settings:
        """Return the settings of the agent once a person has confirmed it. Raises: SetupError, LinkError."""
        began = heard = time.monotonic()
        told = ""
        while True:
            try:
                settings, standing = self._settled()
                heard = time.monotonic()
            except LinkError as error:
                if time.monotonic() - heard > GIVE_UP_AFTER_S:
                    raise
                settings, standing = None, f"{error}; asking again"
            if settings is not None:
                return settings
            if standing != told or time.monotonic() - began > TELL_EVERY_S:
                tell(standing)
                began, told = time.monotonic(), standing
            pause(ASK_EVERY_S)

    def _settled(self) -> tuple[Settings | None, str]:
        """Return the settings when somebody has confirmed the agent; while it waits None, and for what."""
        found = self.standing()
        if found is None:
            raise SetupError("the site does not know this agent any more: begin anew in another directory")
        name, sealed = found
        if name == "pending":
            return None, "waiting for somebody to confirm these words"
        if name == "trusted" and sealed is None:
            return None, "confirmed; waiting for the site's signer to name its key"
        if name == "trusted" and sealed is not None:
            return drafts.finish(self.directory, self.draft, self._opened(sealed)), ""
        raise SetupError(f"the site calls this agent {shown(name)}: begin anew in another directory, or ask why")

    def _opened(self, sealed: str) -> Delivery:
        try:
            content = unseal(sealed, key=self.sealing_key, purpose=DELIVERY)
            delivery = strict.read(Delivery, strict.load(content, max_bytes=len(content)), "delivery")
        except (SealError, strict.StrictError) as error:
            raise SetupError(f"what the site delivered cannot be used: {error}") from error
        if delivery.v != 1 or delivery.agent != self.draft.agent:
            raise SetupError("what the site delivered is for another agent")
        return delivery


def read_token(source: str) -> str:
    """Return the join token from @FILE, or from standard input for `-`, typed unseen at a terminal.

    Raises: SetupError, also for a token that stands in the argument list itself.
    """
    if source == "-":
        text = getpass.getpass("Join token: ") if sys.stdin.isatty() else sys.stdin.readline(MAX_TOKEN_BYTES)
    elif source.startswith("@"):
        text = _file_text(Path(source[1:]))
    else:
        raise SetupError(
            "a join token is given as @FILE, or as - to be typed or piped in: argument lists are public;"
            " this one should be withdrawn"
        )
    token = text.strip()
    if not token.startswith(TOKEN_PREFIX) or not token.isascii() or not token.isprintable():
        raise SetupError(f"this is not a join token: it begins with {TOKEN_PREFIX}")
    return token


def _file_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_TOKEN_BYTES).decode("ascii", "replace")
    except OSError as error:
        raise SetupError(f"{path} cannot be read ({error.strerror})") from error


def refusal(answered: Answered) -> str:
    """Return what the site said no with, as one sentence."""
    found: dict[str, Any] = {}
    with suppress(LinkError):
        found = answered.fields()
    title, detail = shown(found.get("title", ""), 200), shown(found.get("detail", ""), 300)
    if not title:
        return f"the site answered {answered.status}"
    return f"the site says: {title}. {detail} ({shown(found.get('code', ''))})"
