"""A threaded HTTP server for a WSGI application that keeps connections alive and leaves no thread behind."""

import contextlib
import io
import logging
import socket
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from contactsync.sandbox.requests.listening import HOST, listen, listen_somewhere

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date"})
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STOP_SECONDS = 1.5


class HttpServer:
    """The server and its threads, between `start` and `stop`."""

    def __init__(self, application: "WSGIApplication", port: int | None) -> None:
        """Bind the port, or a free one for 0; raise PortTakenError if that fails.

        None is the preferred port, or a free one when it is taken.
        """
        listening = listen_somewhere() if port is None else listen(port)
        with listening:
            self._server = _Server(HOST, 0, application, _Handler, fd=listening.fileno())
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._serve, name="sandbox-server", daemon=True)

    def start(self) -> None:
        """Accept connections from now on."""
        self._thread.start()

    def stop(self, seconds: float = _STOP_SECONDS) -> None:
        """Accept no more connections, let running requests finish, and wait up to `seconds` for their threads."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.end_connections(seconds)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)


class _Server(ThreadedWSGIServer):
    """Werkzeug's server with a list of its connections, so that idle ones can be closed."""

    daemon_threads = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - werkzeug's own
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's
        thread = threading.Thread(
            target=self._serve_connection, args=(request, client_address), name="sandbox-connection", daemon=True
        )
        with self._lock:
            self._connections[thread] = request
        thread.start()

    def _serve_connection(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's
        try:
            self.process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.pop(threading.current_thread(), None)

    def end_connections(self, seconds: float) -> None:
        """Close the reading side of every connection, and wait up to `seconds` for their threads."""
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + seconds
        for thread in connections:
            thread.join(max(0.0, deadline - time.monotonic()))


class _Handler(MotoRequestHandler):  # type: ignore[misc] # moto is untyped
    """A handler that keeps a connection open for more requests; werkzeug's own handler closes it after each."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body of an answer in one packet

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        try:
            self._read_body(environ)
            status, headers, body = self._run(environ)
        except ConnectionError:
            self.close_connection = True
            return
        except Exception:  # the edge of the process: after an error of moto, the client still gets an answer
            logger.exception("No answer to %s %s", self.command, environ.get("PATH_INFO"))
            status, headers, body = (
                "500 Internal Server Error",
                [],
                b'{"message": "The sandbox failed; see its output"}',
            )
        self._send(status, headers, body)

    def handle_expect_100(self) -> bool:
        """Leave the answer to run_wsgi; else a client would get it twice."""
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing, because the call log has the request."""

    def _read_body(self, environ: dict[str, Any]) -> None:
        stream = environ["wsgi.input"]
        if environ.pop("wsgi.input_terminated", False):
            body = stream.read()
            environ.pop("HTTP_TRANSFER_ENCODING", None)
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = stream.read(length)
            if len(body) < length:
                # For example a task that was killed. AWS's signature covers the whole body, so this is no call.
                raise ConnectionError("The client ended before its request did")
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))

    def _run(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:  # noqa: ANN401 - WSGI's write function
            started.append((status, headers))
            return None

        chunks: Iterable[bytes] = self.server.app(environ, start_response)
        body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        return (*started[-1], body)

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        is_head = self.command == "HEAD"
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP and (is_head or name.lower() != "content-length"):
                self.send_header(name, value)
        if int(code) not in _WITHOUT_BODY and not is_head:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not is_head and int(code) not in _WITHOUT_BODY:
            self.wfile.write(body)
        self.wfile.flush()
