"""Events as people say them: what the one who did it did. A type nobody listed shows as it is."""

from __future__ import annotations

from typing import Final

_WORDS: Final = {
    "agent.trust": "trusted the agent",
    "agent.enrol": "asked to be taken in",
    "agent.confirm": "confirmed the agent's keys",
    "agent.reject": "rejected the agent",
    "agent.suspend": "suspended the agent",
    "agent.resume": "trusts the agent again",
    "agent.revoke": "revoked the agent",
    "agent.new-broker-password": "gave the agent a new password for the broker",
    "agent.take-key": "took a new key",
    "agent.speaks-twice": "was found in two places with one key",
    "agent.new-epoch": "began a new epoch: its journal was lost",
    "configuration.keep": "kept a new version of the configuration",
    "conflict.open": "opened the conflict",
    "conflict.resolve": "closed the conflict",
    "conflict.acknowledge": "acknowledged the conflict",
    "door.take": "took a safe way out",
    "door.waive": "gave a safer way up",
    "door.stuck": "could not go on with the way out",
    "evidence-sheet.make": "asked for evidence",
    "evidence-sheet.complete": "completed the evidence",
    "forced-action.submit": "requested the forced action",
    "forced-action.freeze": "froze the evidence to be approved",
    "forced-action.cannot-observe": "ended it: the evidence does not allow it",
    "forced-action.approve": "approved the forced action",
    "forced-action.quorum": "gave the last approval needed",
    "forced-action.quorum-reached": "counted the quorum again, from the rows",
    "forced-action.deny": "denied the forced action",
    "forced-action.veto": "vetoed the forced action",
    "forced-action.veto-too-late": "found the veto too late",
    "forced-action.expire": "let the request expire",
    "forced-action.cancel": "took the request back",
    "forced-action.void": "voided it: the facts had changed",
    "forced-action.issue": "issued the order",
    "forced-action.send": "signed and released the order",
    "forced-action.issue-again": "will issue the order again",
    "forced-action.succeed": "settled it by a reading: done",
    "forced-action.not-apply": "settled it: nothing was applied",
    "forced-action.lose": "settled it: another change was first",
    "forced-action.lose-sight": "lost sight of the outcome",
    "forced-action.comment": "commented",
    "host.assign": "gave the host to an agent",
    "host.retire": "retired the host",
    "host.identity-changed": "saw the host under another name",
    "host.start-maintenance": "began maintenance",
    "host.end-maintenance": "ended maintenance",
    "host.evacuate": "asked the host to evacuate its zones",
    "join-token.make": "made a join token",
    "join-token.withdraw": "withdrew the join token",
    "join-token.guessing": "counted too many wrong join tokens",
    "authority.new-key": "took a new authority key",
    "host.hostid-collision": "found somebody else answering under the hostid",
    "job.insert": "asked for the job",
    "job.sign": "signed the order",
    "job.publish": "sent the order",
    "job.start": "began the order",
    "job.finish-done": "reported the order done",
    "job.finish-refused": "refused the order",
    "job.finish-failed": "reported a failure",
    "job.finish-not-applied": "reported that nothing was applied",
    "job.finish-lost": "reported the claim lost",
    "job.finish-unknown": "does not know how it ended",
    "job.expire": "gave up waiting for an answer",
    "job.cancel": "cancelled the job",
    "job.withdraw": "asked for the order back",
    "obligation.meet": "confirmed that the zone it lost does not run there",
    "obligation.open": "obliged the host that lost the zone to confirm it",
    "person.add": "added the account",
    "person.set-password": "set the password",
    "persons-word.assert": "asserted what they know",
    "persons-word.contradict": "found a person's word contradicted",
    "policy.change": "changed the policy",
    "reading.put-aside": "put a reading aside that could not be taken in",
    "report.put-aside": "put a report aside that could not be taken in",
    "role.grant": "granted a role",
    "role.retire": "took a role back",
    "second-factor.enrol": "enrolled a second factor",
    "token.create": "made a token",
    "token.revoke": "revoked a token",
    "zone.disable-autoboot": "asked to switch autoboot of the zone off",
    "zone.held-back": "kept the zone from booting: another host has it",
    "zone.mark-unavailable": "asked to mark the zone unavailable",
    "zone.owner-changed": "saw the zone change its owner",
    "zone.renamed": "saw the zone under another name",
    "zone.storage-moved": "saw boot storage move to another zone",
}


def event_words(event_type: str) -> str:
    """Return what `<noun>.<move>` means after a name: `approved the forced action`."""
    if event_type in _WORDS:
        return _WORDS[event_type]
    noun, _, move = event_type.partition(".")
    if move == "refused":
        return f"was refused ({noun.replace('-', ' ')})"
    if noun == "zone":
        return f"asked to {move.replace('-', ' ')} the zone"
    return event_type.replace("-", " ").replace(".", ": ")
