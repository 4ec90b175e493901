"""Below /api/agent/v1/: what agents talk to."""

from django.urls import path

from apps.jobs.api_agent import reports

urlpatterns = [path("reports", reports, name="agent_reports")]
