"""The `kzfleet` command: what the pages do, from a terminal. It speaks only the REST API."""
