"""Below /api/agent/v1/: what agents talk to before they report."""

from django.urls import path

from apps.fleet.api_agent import enrol, enrolment, keys

urlpatterns = [
    path("enrol", enrol, name="agent_enrol"),
    path("enrolment", enrolment, name="agent_enrolment"),
    path("keys", keys, name="agent_keys"),
]
