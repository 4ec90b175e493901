from django.apps import AppConfig


class ConflictsConfig(AppConfig):
    name = "apps.conflicts"
    default_auto_field = "django.db.models.BigAutoField"
