"""The web process: `uvicorn kzfleet.asgi:application`."""

import os
import warnings

from django.core.asgi import get_asgi_application

from kernelzone.rubbish import look_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kzfleet.settings")

# Static files are read whole by WhiteNoise's synchronous response; that is what we want of small files.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

application = get_asgi_application()
look_rarely()
