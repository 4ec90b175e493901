"""Every address of the site: health, sign-in, the API, where agents report, and the pages."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path

from kzfleet.health import healthz

# allauth has many more addresses: sign-up, mail, enrolment by the person alone. What is not used here is not there.
USED_OF_ALLAUTH = "login|logout|inactive|reauthenticate|password/change|2fa/authenticate|2fa/reauthenticate"


def _not_there(_request: HttpRequest) -> HttpResponse:
    raise Http404


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    re_path(rf"^accounts/(?!(?:{USED_OF_ALLAUTH})/\Z)", _not_there),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("api/v1/", include("kzfleet.api.urls")),
    path("api/agent/v1/", include("apps.fleet.urls_agent")),
    path("api/agent/v1/", include("apps.jobs.urls_agent")),
    path("", include("kzfleet.page_urls")),
    path("", include("kzfleet.decision_urls")),
]
