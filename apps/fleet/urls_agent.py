"""Below /api/agent/v1/: what agents talk to before they report."""

from django.urls import path

from apps.fleet.api_agent import enrol, enrolment

urlpatterns = [
    path("enrol", enrol, name="agent_enrol"),
    path("enrolment", enrolment, name="agent_enrolment"),
]
