from django.apps import AppConfig
from django.conf import settings


class OrchestrationConfig(AppConfig):
    name = "orchestration"

    def ready(self) -> None:
        from orchestration import dispatch
        from orchestration.doorbell import doorbell

        doorbell.install()
        if settings.DISPATCH == "distributed":
            from orchestration.distributed import Distributed

            dispatch.register(Distributed())
