"""One forced action as the letter it is: what, where and why, the evidence with its digest, and who said what."""

from __future__ import annotations

from typing import Any

from kzfleet.cli import sheets, show


def tell(found: dict[str, Any]) -> None:
    """Print one forced action, whole; what an approval is about stands last."""
    _tell_request(found)
    _tell_outcome(found)
    _tell_words(found)
    if found["release_sheet"]:
        show.title("Evidence, read anew before the order")
        sheets.tell(found["release_sheet"])
    show.title("Evidence")
    if found["sheet"]:
        sheets.tell(found["sheet"])
    _tell_difference(found["difference"])
    show.title("What is approved")
    show.line(f"on {show.host(found['target'])}: {found['command']}")
    show.line(f"digest {found['evidence_sha256'] or 'not known yet: the evidence is not complete'}")


def _tell_request(found: dict[str, Any]) -> None:
    loser = found["loser_hostid"] or "nobody that host data names"
    show.line(f"{found['kind']} of {found['zone']['name']}: {found['state']}", style="bold")
    show.line(f"to {show.host(found['target'])}, from {loser}")
    asked = f"requested by {found['requested_by']} {show.age(found['requested_at'])}"
    show.line(f"forced action {found['id']}, {asked}, expires {show.clock(found['expires_at'])}")
    policy = found["policy"]
    needed = f"{found['approvals']} of {found['approvals_needed']} approvals"
    show.line(f"{needed} (policy {policy['name']}, version {policy['version']})")
    if found["ticket"]:
        show.line(f"ticket {found['ticket']}")
    show.title("Reason")
    show.block(found["reason"])


def _tell_outcome(found: dict[str, Any]) -> None:
    if not (found["why_text"] or found["job"] or found["warrant"]):
        return
    show.title("What came of it")
    if found["why_text"]:
        show.line(found["why_text"])
    if found["warrant"] and found["warrant"]["payload_sha256"]:
        warrant = found["warrant"]
        show.line(f"warrant {warrant['id']}, issue {warrant['attempt']}, order {warrant['payload_sha256']}")
    if found["job"]:
        show.line(f"job {found['job']['id']}: {found['job']['state']}")


def _tell_words(found: dict[str, Any]) -> None:
    if found["decisions"] or found["vetoed_by"]:
        show.title("Decisions")
    for row in found["decisions"]:
        show.line(f"{row['verdict']} by {row['by']}, {show.clock(row['made_at'])}")
        if row["reason"]:
            show.block(row["reason"])
    if found["vetoed_by"]:
        show.line(f"vetoed by {found['vetoed_by']}")
    if found["comments"]:
        show.title("Comments")
    for row in found["comments"]:
        show.line(f"{row['by']}, {show.clock(row['made_at'])}")
        show.block(row["text"])


def _tell_difference(difference: list[dict[str, str]]) -> None:
    if difference:
        show.title("What has changed since it was requested")
    for change in difference:
        show.line(f"  {show.changed(change)}")
