"""The pages that show rows of several apps at once."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from kzfleet.pages import agents, for_me, hosts, moves, overview, search, zones

urlpatterns: list[URLPattern | URLResolver] = [
    path("", overview.show_overview, name="overview"),
    path("for-me", for_me.show_for_me, name="for_me"),
    path("search", search.show_search, name="search"),
    path("hosts", hosts.list_hosts, name="hosts"),
    path("hosts/enrol", agents.enrol_host, name="enrol_host"),
    path("join-tokens/<int:pk>/withdraw", agents.withdraw, name="join_token_withdraw"),
    path("agents", agents.list_agents, name="agents"),
    path("agents/<uuid:pk>", agents.show_agent, name="agent"),
    path("agents/<uuid:pk>/confirm", agents.confirm, name="agent_confirm"),
    path("agents/<uuid:pk>/reject", agents.reject, name="agent_reject"),
    path("agents/<uuid:pk>/state", agents.change, name="agent_change"),
    path("hosts/<str:owner_hostid>", hosts.show_host, name="host"),
    path("hosts/<str:owner_hostid>/inspect", hosts.inspect_host, name="host_inspect"),
    path("hosts/<str:owner_hostid>/maintenance", hosts.change_maintenance, name="host_maintenance"),
    path("hosts/<str:owner_hostid>/evacuate", moves.evacuate, name="host_evacuate"),
    path("zones", zones.list_zones, name="zones"),
    path("zones/<uuid:pk>", zones.show_zone, name="zone"),
    path("zones/<uuid:pk>/verbs", zones.run_zone_verb, name="zone_verb"),
    path("zones/<uuid:pk>/migrate/<str:owner_hostid>", moves.migrate, name="zone_migrate"),
    path("", include("kzfleet.decision_urls")),
]
if settings.DEBUG:
    from kzfleet.pages import parts

    urlpatterns.append(path("parts/", parts.show_parts, name="parts"))
