"""The way to the site: reached, believed, and its signed time compared with the clock here."""

from __future__ import annotations

from collections.abc import Iterator

from kzagent.authority import MAX_CLOCK_DIFFERENCE_S, Authority
from kzagent.clock import Clock
from kzagent.errors import JournalError, LinkError
from kzagent.identity import Settings
from kzagent.post import Answer, Post
from kzagent.readiness.findings import Finding, missing, ok, unknown


def site(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Yield whether the site answers this agent, and whether the clock here is right by its signed time."""
    try:
        answer = Post(settings).batch([])
    except OSError as error:
        yield missing("site", f"ca_file {settings.ca_file}: {error.strerror or error}", "name a file of certificates")
    except LinkError as error:
        yield missing("site", f"{settings.url}: {error}", _to_do(str(error)))
    else:
        held = f"holds {answer.seq} reports of epoch {answer.epoch}" if answer.epoch else "holds no report yet"
        yield ok("site", f"{settings.url} answers, {held}")
        yield _clock(settings, clock, answer)
        return
    yield unknown("clock", "the site's time is not known")


def _to_do(error: str) -> str:
    if "403" in error or "401" in error:
        return "it does not know this agent, or believes it no more: confirm or trust it there"
    if "CERTIFICATE" in error.upper() or "SSL" in error.upper():
        return "its certificate is not believed here: name its authority's in ca_file of agent.json"
    return "look at the address in agent.json, at the network, and at the site's own state"


def _clock(settings: Settings, clock: Clock, answer: Answer) -> Finding:
    if answer.beacon is None:
        return unknown("clock", "the site has not signed its time yet", "is its signer running?")
    authority = Authority(settings, clock)
    try:
        is_believed = authority.hear(answer.beacon)
    except JournalError:
        is_believed = False
    difference_s = authority.clock_difference_s()
    if not is_believed or difference_s is None:
        to_do = "agent.json names another authority key or deployment than the site has"
        return missing("clock", "the site's time is not signed by an authority this agent believes", to_do)
    found = f"{abs(difference_s):.0f} s {'ahead of' if difference_s > 0 else 'behind'} the site's signed time"
    if abs(difference_s) > MAX_CLOCK_DIFFERENCE_S:
        return missing("clock", found, "set the clock (NTP); if it is right, the site's signer does not run")
    return ok("clock", found)
