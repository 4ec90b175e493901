"""What runs on, or next to, a host: a Celery worker that acts only on signed orders. No Django."""
