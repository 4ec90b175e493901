from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, their roles, their tokens and their second factors."""

    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
