"""Every address of the site: the API, sign-in, and the pages of each app that has some."""

from importlib.util import find_spec

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path

from kzfleet.health import healthz

PAGE_APPS = [
    "apps.base",
    "apps.history",
    "apps.accounts",
    "apps.fleet",
    "apps.jobs",
    "apps.zones",
    "apps.configs",
    "apps.conflicts",
    "apps.forced_actions",
    "apps.integrations",
]

# allauth has many more addresses: sign-up, mail, enrolment by the person alone. What is not used here is not there.
USED_OF_ALLAUTH = "login|logout|inactive|reauthenticate|password/change|2fa/authenticate|2fa/reauthenticate"


def _not_there(_request: HttpRequest) -> HttpResponse:
    raise Http404


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    re_path(rf"^accounts/(?!(?:{USED_OF_ALLAUTH})/\Z)", _not_there),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
]
if find_spec("kzfleet.api.urls"):
    urlpatterns.append(path("api/v1/", include("kzfleet.api.urls")))
if find_spec("apps.jobs.urls_agent"):
    urlpatterns.append(path("api/agent/v1/", include("apps.jobs.urls_agent")))
if find_spec("kzfleet.page_urls"):
    urlpatterns.append(path("", include("kzfleet.page_urls")))
urlpatterns.append(path("", include("kzfleet.decision_urls")))
urlpatterns += [path("", include(f"{app}.urls")) for app in PAGE_APPS if find_spec(f"{app}.urls")]
