"""Does an address answer? `python -m kzfleet.up.look http://127.0.0.1:8000/healthz` ends with 0 when it does."""

import http.client
import sys
from urllib.parse import urlsplit


def answers(address: str, *, timeout_s: float = 2) -> bool:
    """Return whether a GET of an `http://` address is answered with 200."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
