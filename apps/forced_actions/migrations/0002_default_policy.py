"""The strict default: two people besides the requester, 30 minutes, four hours."""

from django.conf import settings
from django.db import migrations


def make(apps, schema_editor):
    apps.get_model("forced_actions", "Policy").objects.get_or_create(
        name="default",
        version=1,
        defaults={
            "approvals_needed": 2,
            "max_reading_age_s": 1800,
            "time_to_approve_s": 4 * 3600,
            "quiet_window_s": settings.FORCED_QUIET_WINDOW_S,
        },
    )


class Migration(migrations.Migration):
    dependencies = [("forced_actions", "0001_initial")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
