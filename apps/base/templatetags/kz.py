"""What templates say about words, times and ids. No rule lives here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.base import wording
from apps.base.badges import Badge, badge_of

register = template.Library()


@register.inclusion_tag("_parts/badge.html")
def badge(family: str, word: object, label: str = "") -> dict[str, Any]:
    """Return a word with its shape and tone; label: shown instead of the word's own."""
    return {"badge": badge_of(family, word), "label": label}


@register.simple_tag
def mark(family: str, word: object, title: str = "") -> SafeString:
    """Return the shape of a word alone, with the word for those who hear the page."""
    shown: Badge = badge_of(family, word)
    return format_html(
        '<span class="mark shape-{} tone-{}" role="img" aria-label="{}" title="{}"></span>',
        shown.shape,
        shown.tone,
        title or shown.label,
        title or shown.label,
    )


@register.simple_tag
def word(family: str, text: object) -> str:
    """Return what a word is called, without its shape."""
    return badge_of(family, text).label


@register.simple_tag
def dots(marks: Iterable[Any]) -> SafeString:
    """Return the marks of a tile in a map of thousands: the shapes alone, each with its name on hover."""
    return format_html_join(
        "", '<i class="{}" title="{}"></i>', ((_dot(one.word, one.worst), one.name) for one in marks)
    )


@cache
def _dot(word: str, worst: int) -> str:
    shown = badge_of("mark", word)
    return f"shape-{shown.shape} tone-{shown.tone}{' in-conflict' if worst else ''}"


@register.simple_tag
def when(moment: datetime | None) -> SafeString:
    """Return how long ago something was, with the exact time on hover."""
    text = wording.ago(moment, timezone.now())
    if moment is None:
        return format_html('<span class="never">{}</span>', text)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), wording.utc(moment), text)


@register.simple_tag
def clock(moment: datetime | None) -> SafeString:
    """Return the exact time; a script shows it in the reader's zone and keeps UTC on hover."""
    if moment is None:
        return format_html('<span class="never">{}</span>', "never")
    text = wording.utc(moment)
    return format_html('<time class="clock" datetime="{}" title="{}">{}</time>', moment.isoformat(), text, text)


@register.simple_tag(name="id")
def identifier(value: object, length: int = 8) -> SafeString:
    """Return a long id or digest shortened, whole on hover."""
    return format_html('<code class="id" title="{}">{}</code>', value, wording.short(value, length))


@register.filter
def age_of(moment: datetime | None) -> str:
    """Return how long ago something was, without `ago`."""
    return wording.age(timezone.now() - moment) if moment else "ever"


@register.filter
def size(count_bytes: int) -> str:
    """Return a size in bytes as people read it."""
    return wording.size(count_bytes)


@register.filter
def spaced(word: object) -> str:
    """Return `force-takeover` as `force takeover`."""
    return str(word).replace("-", " ").replace("_", " ")


@register.filter
def item(mapping: dict[Any, Any], key: object) -> Any:
    """Return the value under `key`, None when it is missing."""
    return mapping.get(key)
