"""Who may ask, and how much at once: token, host and size, before a request is looked at."""

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 << 20
"""Bytes of a request, pictures included."""
_OPEN = ("/health",)
_HOSTS = ("127.0.0.1", "localhost")


class TooLargeError(Exception):
    """The body of a request is longer than :data:`LARGEST_BODY`."""


def error_body(message: str, status: int) -> dict[str, dict[str, str | None]]:
    """An error as OpenAI's clients read it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def problem(message: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """A response that is an error."""
    return JSONResponse(error_body(message, status), status_code=status, headers=headers)


class Guard:
    """ASGI middleware. The ``Host`` is checked too: a web page that points a name of its own at
    127.0.0.1 must not reach the models through the user's browser."""

    def __init__(self, app: ASGIApp, token: str, largest: int = LARGEST_BODY) -> None:
        self._app = app
        self._token = token
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = self._refused(scope["path"], Headers(scope=scope))
        if refused is not None:
            # Whatever else is on its way is not waited for.
            refused.headers["connection"] = "close"
            await refused(scope, receive, send)
            return
        try:
            await self._app(scope, self._counted(receive), send)
        except TooLargeError as error:
            await problem(str(error), 413)(scope, receive, send)

    def _refused(self, path: str, headers: Headers) -> JSONResponse | None:
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if host not in _HOSTS:
            return problem(f"this server answers on {' and '.join(_HOSTS)} only", 421)
        if path in _OPEN:
            return None
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return problem("wrong or missing token: Authorization: Bearer TOKEN", 401)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._largest:
            return problem(self._too_large, 413)
        return None

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise TooLargeError(self._too_large)
            return message

        return counted

    @property
    def _too_large(self) -> str:
        return f"a request may have {self._largest >> 20} MiB"
