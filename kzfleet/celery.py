"""The control plane's Celery application: `celery -A kzfleet.celery worker -Q control`, and beat."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from kernelzone.rubbish import look_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kzfleet.settings")

app = Celery("kzfleet", set_as_current=True)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()
app.autodiscover_tasks()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    look_rarely()
