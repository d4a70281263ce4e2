"""Where each address leads. Pages live in workbench, the API is mounted by ccdash/api.py."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from ccdash.api import api
from ccdash.api_docs import docs
from ccdash.signing_in import SignIn, admin_door

urlpatterns = [
    path("api/execution/docs", docs, name="api-docs"),
    path("api/execution/", api.urls),
    path("admin/login/", admin_door),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password")),
    path("admin/", admin.site.urls),
    path("accounts/login/", SignIn.as_view(), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("favicon.svg"))),
    path("", include("workbench.urls")),
]
