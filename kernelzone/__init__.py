"""What a kernel zone is: host data, configurations, commands, orders. No Django, no Celery, no network."""
