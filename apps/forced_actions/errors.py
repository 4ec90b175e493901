"""What forced actions refuse."""

from __future__ import annotations

from apps.base.errors import DomainError


class AlreadyOpen(DomainError):
    """The zone has an open forced action, in whatever state. Facts: forced_action."""

    code = "forced_action_open"
    message = "there is an open forced action on this zone"
    hint = "Decide, cancel or settle that one first."


class ConflictNeeded(DomainError):
    """The zone has no open conflict that a forced action of this kind could solve."""

    code = "conflict_needed"
    message = "this zone has no conflict that forcing would solve"
    hint = "Have the zone inspected; attach it if it is free."


class KindUnknown(DomainError):
    """Not a kind of forced action that is offered. Facts: kind."""

    code = "forced_action_kind"
    status = 422
    message = "there is no such forced action"
    hint = "Use force-takeover or initialize-hostdata."


class TypedNameWrong(DomainError):
    """The zone's name was not typed as it is."""

    code = "typed_zone_name"
    status = 422
    message = "the typed name is not the zone's name"
    hint = "Type the zone's name exactly, by hand: it is the last look at what will be forced."


class TypedHostidWrong(DomainError):
    """The loser's hostid was not typed as it is."""

    code = "typed_loser_hostid"
    status = 422
    message = "the typed hostid is not that of the host that loses the zone"
    hint = "Type the 8 hex digits of the owner hostid that host data names."


class SelfApproval(DomainError):
    """Nobody approves their own request, by whatever account."""

    code = "self_approval"
    status = 403
    message = "nobody approves their own request"
    hint = "Ask another approver."


class GrantTooYoung(DomainError):
    """The approver's role is younger than the request. Facts: granted_at."""

    code = "grant_too_young"
    status = 403
    message = "your role as approver is younger than this request"
    hint = "Ask somebody who was approver when it was made, or have it requested again."


class AlreadyReviewed(DomainError):
    """The person has decided about this request before, by this account or another."""

    code = "already_reviewed"
    message = "you have decided about this request already"
    hint = "Nothing needs to be done; an approver can still veto it with 'deny'."


class EvidenceChanged(DomainError):
    """The evidence is not what the approver was shown. Facts: shown, current, difference."""

    code = "evidence_changed"
    message = "the evidence is not what you were shown"
    hint = "Read the difference, look at the sheet as it is now, and decide again."


class DigestMissing(DomainError):
    """An approval says which evidence it approves."""

    code = "digest_missing"
    status = 422
    message = "the digest of the evidence you were shown is missing"
    hint = "Send the 64 hex digits of 'evidence_sha256' as 'digest'."


class VerdictUnknown(DomainError):
    """A decision is approve or deny."""

    code = "verdict"
    status = 422
    message = "a decision is 'approve' or 'deny'"
    hint = "Send one of the two."


class NotRequester(DomainError):
    """Only who requested a forced action takes the request back."""

    code = "not_requester"
    status = 403
    message = "only the requester takes a request back"
    hint = "An approver can deny it."


class QuorumRefused(DomainError):
    """A policy's numbers are impossible (422). Facts: field."""

    code = "quorum"
    status = 422
    message = "at least one approval besides the requester is needed, and never more than there are approvers"
    hint = "Choose a number from 1 to the number of approvers."


class PolicyRefused(DomainError):
    """A number of a policy is out of bounds. Facts: field, least, most."""

    code = "policy"
    status = 422
    message = "a number of the policy is out of bounds"
    hint = "Choose a number within the bounds."
