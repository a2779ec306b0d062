"""A model hub on loopback with the few endpoints that huggingface_hub asks, and with bad manners.

Serves one repository at one commit. A file can be cut off in the middle of a transfer, changed on
the way, or refused.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class SmallHub:
    """``with SmallHub("team/model", {"config.json": b"{}"}) as hub: hub.url``."""

    def __init__(self, repo: str, files: dict[str, bytes], licence: str = "apache-2.0") -> None:
        self.repo = repo
        self.files = files
        self.licence = licence
        self.cut_after: dict[str, int] = {}
        """File → bytes after which the connection is cut, once."""
        self.refused: set[str] = set()
        self.sent_instead: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str]] = []
        """Method, path and Range header of every request."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def gets(self, name: str) -> list[str]:
        """The Range headers of the transfers of a file."""
        return [r for method, path, r in self.asked if method == "GET" and path.endswith(name)]

    def describe(self) -> bytes:
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
                "lfs": {
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                    "pointerSize": 134,
                },
            }
            for name, content in self.files.items()
        ]
        card = {"license": self.licence}
        described = {"id": self.repo, "sha": COMMIT, "siblings": siblings, "cardData": card}
        return json.dumps(described).encode()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(hub: SmallHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._file(body=False)

        def do_GET(self) -> None:
            if self.path.startswith("/api/models/"):
                self._note()
                self._reply(200, hub.describe(), {"Content-Type": "application/json"})
            else:
                self._file(body=True)

        def _file(self, *, body: bool) -> None:
            self._note()
            name = self.path.partition(f"/resolve/{COMMIT}/")[2]
            if name not in hub.files or (body and name in hub.refused):
                self._reply(500 if name in hub.files else 404, b"")
                return
            content = hub.files[name]
            headers = {
                "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                "X-Repo-Commit": COMMIT,
                "Accept-Ranges": "bytes",
            }
            if not body:
                self._reply(200, content, headers, send=False)
                return
            sent = hub.sent_instead.get(name, content)
            start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(sent) - 1}/{len(sent)}"
            cut = hub.cut_after.pop(name, None)
            self._reply(206 if start else 200, sent[start:], headers, cut=cut)

        def _note(self) -> None:
            hub.asked.append((self.command, self.path, self.headers.get("Range", "")))

        def _reply(
            self,
            status: int,
            content: bytes,
            headers: dict[str, str] | None = None,
            *,
            send: bool = True,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for key, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if send:
                self.wfile.write(content[:cut])

        def log_message(self, *args: object) -> None:
            """Keeps the test's output clean."""

    return Handler
