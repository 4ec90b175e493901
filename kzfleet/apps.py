from django.apps import AppConfig


class KzfleetConfig(AppConfig):
    """The project itself: start-up checks and `manage.py up`."""

    name = "kzfleet"
    label = "kzfleet"

    def ready(self) -> None:
        """Register the checks, and make our Celery application the one that nudges go through."""
        from kzfleet import celery, checks  # noqa: F401, PLC0415
