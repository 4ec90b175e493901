"""The control plane's Celery application: `celery -A kzfleet.celery worker -Q control`, and beat."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kzfleet.settings")

app = Celery("kzfleet", set_as_current=True)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks()
