from django.apps import AppConfig


class BaseConfig(AppConfig):
    """What every app leans on: refusals, nudges, text rules, the shape of the API."""

    name = "apps.base"
    label = "base"
