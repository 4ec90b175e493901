"""The REST API's frame: where it is mounted, how it answers errors. Its resources are in each app's `api.py`."""
