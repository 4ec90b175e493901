"""The web process: `uvicorn kzfleet.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kzfleet.settings")

application = get_asgi_application()
