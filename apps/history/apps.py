from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """The history: every change as one event whose bytes never change."""

    name = "apps.history"
    label = "history"
    default_auto_field = "django.db.models.BigAutoField"
