"""The pages on which people decide, and those on which they look back."""

from django.urls import URLPattern, path

from kzfleet.pages import conflicts, forced_actions, history, jobs

urlpatterns: list[URLPattern] = [
    path("conflicts", conflicts.list_conflicts, name="conflicts"),
    path("conflicts/<uuid:pk>", conflicts.show_conflict, name="conflict"),
    path("conflicts/<uuid:pk>/acknowledge", conflicts.acknowledge, name="conflict_acknowledge"),
    path("conflicts/<uuid:pk>/evidence", conflicts.gather, name="conflict_gather"),
    path("conflicts/<uuid:pk>/doors", conflicts.take, name="conflict_take"),
    path("conflicts/<uuid:pk>/waivers", conflicts.waive, name="conflict_waive"),
    path("conflicts/<uuid:pk>/words", conflicts.say, name="conflict_say"),
    path("conflicts/<uuid:pk>/request/<slug:door>", conflicts.request_forced, name="conflict_request"),
    path("forced-actions", forced_actions.list_forced_actions, name="forced_actions"),
    path("forced-actions/<uuid:pk>", forced_actions.show_forced_action, name="forced_action"),
    path("forced-actions/<uuid:pk>/decisions", forced_actions.decide, name="forced_action_decide"),
    path("forced-actions/<uuid:pk>/cancel", forced_actions.cancel, name="forced_action_cancel"),
    path("forced-actions/<uuid:pk>/comments", forced_actions.comment, name="forced_action_comment"),
    path("jobs", jobs.list_jobs, name="jobs"),
    path("jobs/<uuid:pk>", jobs.show_job, name="job"),
    path("jobs/<uuid:pk>/cancel", jobs.cancel, name="job_cancel"),
    path("history", history.list_events, name="history"),
    path("history/<int:seq>", history.show_event, name="event"),
]
