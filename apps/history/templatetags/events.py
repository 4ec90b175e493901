"""Events in templates."""

from __future__ import annotations

from django import template

from apps.history.sentences import event_words

register = template.Library()
register.filter("event_words", event_words)
