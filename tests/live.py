"""A live server inside the test process: Daphne on a thread, for browsers, sockets and schema-driven fuzzing.

One for the whole session, because Twisted's reactor starts only once. It shares the test's database file, settings
and in-memory channel layer, so a test may look at rows while a browser looks at pages.
"""

import socket
import threading
import time


class Server:
    host = "127.0.0.1"

    def __init__(self) -> None:
        self.port = _free_port()
        self._thread = threading.Thread(target=self._run, name="live-server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    def start(self, within_seconds: float = 30) -> None:
        self._thread.start()
        deadline = time.monotonic() + within_seconds
        while not self._answers():
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("The live server did not start; its own message is above.")
            time.sleep(0.02)

    def stop(self) -> None:
        from twisted.internet import reactor

        reactor.callFromThread(reactor.stop)  # type: ignore[attr-defined]
        self._thread.join(10)

    def _run(self) -> None:
        from ccdash import daphne

        daphne.server_on(host=self.host, port=self.port, signal_handlers=False).run()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((Server.host, 0))
        return int(probe.getsockname()[1])
