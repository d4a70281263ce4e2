"""The front door: requests to Django, sockets to the consumers, and what neither may see turned away."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ccdash.settings")
django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import re_path  # noqa: E402

from ccdash.doors import BodyLimit, SameOrigin, refuse_socket  # noqa: E402
from ccdash.statics import StaticFiles  # noqa: E402
from orchestration import plan_text  # noqa: E402
from workbench.urls import websocket_urlpatterns  # noqa: E402

sockets = URLRouter([*websocket_urlpatterns, re_path(r"", refuse_socket)])  # type: ignore[arg-type]

application = ProtocolTypeRouter(
    {
        "http": StaticFiles(
            # The API's own views hold everything but plans to the smaller limit.
            BodyLimit(
                django_application,
                limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
                larger={"/api/execution/": plan_text.MAX_BYTES},
            )
        ),
        "websocket": SameOrigin(AuthMiddlewareStack(sockets)),
    }
)
