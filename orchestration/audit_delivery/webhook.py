"""Each checkpoint, POSTed once as it was signed. At least once, rather: a receiver that sees a key again has it.

No redirects, to an address that was looked at (`providers.reaching`), and within limits of time and size: the answer's
body is not even read. A receipt, an empty file for each checkpoint, tells what has arrived.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from django.conf import settings

from orchestration.audit_delivery.channel import Undelivered, own_folder
from orchestration.providers.config import ProviderConfig
from orchestration.providers.wire import Wire
from policy import audit
from policy.key_files import write_once

AT_ONCE = 100  # those of one round; the next is not far
CONNECT_SECONDS, SILENT_SECONDS, WHOLE_SECONDS = 5.0, 10.0, 30.0


@dataclass(frozen=True)
class Webhook:
    address: str
    token: str = field(default="", repr=False)
    name: ClassVar[str] = "webhook"

    @property
    def place(self) -> str:
        return urlsplit(self.address).hostname or ""

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"CCDASH_AUDIT_WEBHOOK_TOKEN": self.token, "CCDASH_AUDIT_WEBHOOK": self.address}

    def waiting(self) -> list[Path]:
        receipts = own_folder(self)
        arrived = {file.name for file in receipts.iterdir()} if receipts.is_dir() else set()
        return [file for file in audit.checkpoint_files() if file.name not in arrived]

    def send(self) -> None:
        receipts = own_folder(self)
        receipts.mkdir(mode=0o700, exist_ok=True)
        for file in self.waiting()[:AT_ONCE]:
            self._post(file.read_bytes())
            write_once(receipts / file.name, b"", mode=0o400)

    def _post(self, envelope: bytes) -> None:
        import httpx2

        wire = Wire(self._limits())
        alarm = threading.Timer(WHOLE_SECONDS, wire.abort)
        alarm.start()
        try:
            with wire.client.stream("POST", self.address, content=envelope, headers=self._headers(envelope)) as answer:
                self._judge(answer.status_code)
        except httpx2.ConnectError as error:
            raise Undelivered(f"{self.place} can't be reached: {error}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Undelivered(f"{self.place} did not answer: {type(error).__name__}.") from None
        finally:
            alarm.cancel()
            wire.close()

    def _limits(self) -> ProviderConfig:
        return ProviderConfig(
            "webhook",
            base_url=self.address,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=SILENT_SECONDS,
            reach=settings.ALLOW_PRIVATE_PROVIDERS,
        )

    def _headers(self, envelope: bytes) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        key = hashlib.sha256(envelope).hexdigest()
        return {"Content-Type": "application/json", "Idempotency-Key": key, "User-Agent": "ccdash", **token}

    def _judge(self, status: int) -> None:
        if 300 <= status < 400:
            raise Undelivered(f"{self.place} answered {status}: it leads elsewhere, and that is not followed.")
        if not 200 <= status < 300:
            raise Undelivered(f"{self.place} answered {status}.")
