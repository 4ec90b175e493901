from django.apps import AppConfig


class ForcedActionsConfig(AppConfig):
    name = "apps.forced_actions"
    default_auto_field = "django.db.models.BigAutoField"
