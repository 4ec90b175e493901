"""Probe: what a person says ("I pulled the plug"). Kept as asserted, with name and how they know; never proved."""

from __future__ import annotations

from apps.conflicts.evidence.asking import Answer, Asking, Look
from apps.conflicts.models import EvidenceRow, PersonsWord
from apps.conflicts.wording import clock

PROBE = EvidenceRow.Probe.PERSONS_WORD


def ask(asking: Asking) -> list[EvidenceRow]:
    """Return a row for every word people gave about the present owner."""
    words = PersonsWord.objects.select_related("person").filter(
        zone=asking.sheet.zone, owner_hostid=asking.sheet.zone.owner_hostid, said_at__lte=asking.words_before
    )
    return [asking.row(PROBE, f"{word.person.get_username()} #{word.pk}") for word in words.order_by("pk")]


def answer(look: Look) -> Answer:
    """Return the word as it was given: asserted, or contradicted since by a sign of life."""
    word = PersonsWord.objects.select_related("person").get(pk=int(look.row.source.rpartition("#")[2]))
    value = {"asserted": word.text, "how": word.how, "contradicted": word.contradicted_at is not None}
    said = f"{word.person} asserts: {word.text} ({word.how})"
    if word.contradicted_at is not None:
        sentence = f"{said}. Contradicted: {word.contradicted_by}"
        return Answer(EvidenceRow.Word.SAYS_NOTHING, value, sentence[:500], word.said_at)
    sentence = f"{said}, at {clock(word.said_at)}. Asserted, not proved."
    return Answer(EvidenceRow.Word.SUGGESTS_OFF, value, sentence[:500], word.said_at)
