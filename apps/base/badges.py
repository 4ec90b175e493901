"""What the site's words look like: a tone and a shape beside the word, never a colour alone.

A family is a kind of word (`verdict`, `job` …). Higher apps' words are named here by their text, since base knows
no other app; a word that is missing shows as itself, in the quiet tone.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Badge(NamedTuple):
    """How one word is shown. tone: ok, warn, bad, busy, odd, quiet. shape: a `shape-*` of static/css/parts.css."""

    label: str
    tone: str
    shape: str
    title: str = ""


VERDICT: Final = {
    "ours": Badge("with its owner", "ok", "disc", "Host data names a host that configures the zone"),
    "free": Badge("free", "busy", "ring", "Host data names no owner"),
    "held-elsewhere": Badge("held elsewhere", "warn", "diamond", "Host data names a host that does not configure it"),
    "unreadable": Badge("unreadable", "odd", "hatch", "Host data cannot be read; who uses the zone is unknown"),
    "contradictory": Badge("contradictory", "bad", "triangle", "Readings cannot all be true"),
    "hidden": Badge(
        "hidden", "quiet", "half", "Solaris shows host data to nobody, and asks it itself on attach and boot"
    ),
    "unknown": Badge("unknown", "quiet", "dashes", "Nothing has been read that proves anything"),
}

# A zone on one host, in the map: the verdict, and for what is in order whether it runs here.
MARK: Final = {
    **VERDICT,
    "running": Badge("running here", "ok", "disc", "Owned and running here"),
    "at-rest": Badge("owned here, not running", "ok", "ring", "Owned here, not running"),
    "named": Badge(
        "named as owner by host data alone", "warn", "lozenge", "Host data names this host, which says nothing"
    ),
    "unowned": Badge("running here, owned by another host", "bad", "triangle"),
    "elsewhere": Badge("configured here, owned by another host", "quiet", "square"),
}

HEALTH: Final = {
    "fine": Badge("fine", "ok", "disc"),
    "late": Badge("late", "warn", "diamond"),
    "unknown": Badge("unknown", "quiet", "dashes"),
}

SEVERITY: Final = {
    "4": Badge("critical", "bad", "triangle"),
    "3": Badge("high", "warn", "diamond"),
    "2": Badge("medium", "busy", "half"),
    "1": Badge("low", "quiet", "ring"),
}

CONFLICT: Final = {
    "held-elsewhere": Badge("held elsewhere", "warn", "diamond"),
    "key-wrong": Badge("wrong key", "odd", "hatch"),
    "torn": Badge("torn block", "odd", "half"),
    "tampered": Badge("tampered", "bad", "triangle"),
    "double-run": Badge("running twice", "bad", "triangle"),
    "forced-outside": Badge("forced by hand", "warn", "diamond"),
    "stale-configuration": Badge("stale configuration", "quiet", "dashes"),
    "return-pending": Badge("return not confirmed", "warn", "half"),
    "storage-shared": Badge("storage shared", "warn", "lozenge"),
    "hostid-collision": Badge("hostid twice", "bad", "triangle"),
}

EVIDENCE: Final = {
    "proves-off": Badge("proves it is off", "ok", "ring"),
    "suggests-off": Badge("suggests it is off", "ok", "half"),
    "says-nothing": Badge("says nothing", "quiet", "dashes"),
    "suggests-on": Badge("suggests it is on", "warn", "half"),
    "proves-on": Badge("proves it is on", "bad", "disc"),
    "": Badge("being asked", "busy", "dashes"),
}

PLACEMENT: Final = {
    "running": Badge("running", "ok", "disc"),
    "ready": Badge("ready", "busy", "half"),
    "installed": Badge("installed", "quiet", "square"),
    "configured": Badge("configured", "quiet", "ring"),
    "unavailable": Badge("unavailable", "warn", "diamond"),
    "incomplete": Badge("incomplete", "warn", "half"),
    "shutting_down": Badge("shutting down", "busy", "half"),
    "down": Badge("down", "quiet", "ring"),
    "mounted": Badge("mounted", "busy", "square"),
    "unknown": Badge("unknown", "quiet", "dashes"),
}

HOST: Final = {
    "heard": Badge("heard", "ok", "disc", "Its agent speaks for it"),
    "silent": Badge("silent", "warn", "dashes", "Nobody has spoken for it of late. That proves nothing."),
    "no agent": Badge("no agent", "quiet", "dashes", "No trusted agent speaks for it"),
    "maintenance": Badge("maintenance", "busy", "square"),
}

AGENT: Final = {
    "pending": Badge("waits to be confirmed", "busy", "ring", "Somebody compares its six words first"),
    "trusted": Badge("trusted", "ok", "disc"),
    "suspended": Badge("suspended", "bad", "half", "What it says counts for nothing until somebody decides"),
    "revoked": Badge("revoked", "quiet", "square", "Never believed again; its host is enrolled anew"),
}

REGION: Final = {
    "CLEAN": Badge("clean", "ok", "disc", "Both slots agree, or the older one is one generation behind"),
    "CLAIM": Badge("claim begun", "warn", "half", "A claim was begun over the record and not finished"),
    "SINGLE_A": Badge("slot A only", "warn", "half"),
    "SINGLE_B": Badge("slot B only", "warn", "half"),
    "SPLIT": Badge("split", "bad", "triangle", "Two different records of one generation"),
    "UNREADABLE": Badge("unreadable", "odd", "hatch"),
    "BLANK": Badge("blank", "quiet", "ring", "No host data was ever written"),
    "UNSTABLE": Badge("being written", "warn", "diamond", "Two reads differed three times: somebody is writing"),
    "IN_USE": Badge("said by attach", "busy", "disc", "Not read: an attach on Solaris said who uses the zone"),
    "HIDDEN": Badge("hidden", "quiet", "half", "Not read: Solaris shows host data to nobody"),
    "NO_STORAGE": Badge("no storage", "warn", "dashes", "The device could not be opened or read"),
}

JOB: Final = {
    "new": Badge("new", "quiet", "ring"),
    "signed": Badge("signed", "busy", "ring"),
    "sent": Badge("sent", "busy", "half"),
    "running": Badge("running", "busy", "disc"),
    "done": Badge("done", "ok", "disc"),
    "refused": Badge("refused", "warn", "diamond", "The agent refused it; nothing was done"),
    "failed": Badge("failed", "bad", "triangle"),
    "not-applied": Badge("not applied", "warn", "ring", "Nothing was changed"),
    "lost": Badge("lost", "warn", "diamond", "Another writer was first"),
    "unknown": Badge("unknown", "warn", "dashes", "No report came; a reading or a person settles it"),
    "expired": Badge("expired", "quiet", "dashes"),
    "cancelled": Badge("cancelled", "quiet", "square"),
}

FORCED_ACTION: Final = {
    "draft": Badge("draft", "quiet", "ring"),
    "observing": Badge("gathering evidence", "busy", "half"),
    "pending": Badge("waiting for approvals", "warn", "diamond"),
    "releasing": Badge("being released", "busy", "half"),
    "executing": Badge("being carried out", "busy", "disc"),
    "unknown": Badge("outcome unknown", "warn", "dashes", "No report came; only a reading settles it"),
    "done": Badge("done", "ok", "disc"),
    "not-applied": Badge("not applied", "warn", "ring"),
    "lost": Badge("lost", "warn", "diamond", "Another writer was first"),
    "denied": Badge("denied", "quiet", "square"),
    "expired": Badge("expired", "quiet", "dashes"),
    "cancelled": Badge("cancelled", "quiet", "square"),
    "voided": Badge("voided", "bad", "triangle", "What was approved is no longer true"),
}

APPROVAL: Final = {
    "approve": Badge("approved", "ok", "disc"),
    "deny": Badge("denied", "bad", "triangle"),
    "waiting": Badge("waiting", "quiet", "dashes"),
}

DOOR: Final = {
    "open": Badge("open", "ok", "ring"),
    "shut": Badge("shut", "quiet", "square"),
    "tried": Badge("tried", "busy", "half"),
    "taken": Badge("taken", "ok", "disc"),
    "waived": Badge("waived", "quiet", "dashes"),
}

FAMILIES: Final[dict[str, dict[str, Badge]]] = {
    "verdict": VERDICT,
    "mark": MARK,
    "health": HEALTH,
    "severity": SEVERITY,
    "conflict": CONFLICT,
    "evidence": EVIDENCE,
    "placement": PLACEMENT,
    "host": HOST,
    "agent": AGENT,
    "region": REGION,
    "job": JOB,
    "forced-action": FORCED_ACTION,
    "approval": APPROVAL,
    "door": DOOR,
}


def badge_of(family: str, word: object) -> Badge:
    """Return how `word` of `family` is shown; a word nobody listed shows as itself."""
    text = str(word)
    return FAMILIES[family].get(text) or Badge(text.replace("-", " ") or "none", "quiet", "dashes")
