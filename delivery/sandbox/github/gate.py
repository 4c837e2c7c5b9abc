"""What every REST request goes through: faults, the token, the rate limit, JSON, ETags, headers.

Source: GitHub REST API, "Best practices for using the REST API" (conditional requests) and "Rate limits".
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.faults import Fault, Faults
from delivery.sandbox.github import fields
from delivery.sandbox.github.call import Answer, Call, Handler
from delivery.sandbox.github.callers import Caller, caller_of
from delivery.sandbox.github.errors import GitHubError, not_found
from delivery.sandbox.github.hub import Hub
from delivery.sandbox.github.limits import ANONYMOUS, USER, RateLimits
from delivery.sandbox.github.repository import NoSuchThing
from delivery.sandbox.github.writing import Moved

log = logging.getLogger(__name__)
#: More requests at once than this run into the secondary limit.
AT_ONCE = 100
#: What stands in a URL as it is.
_URL = ":/?#[]@!$&'()*+,;=%~"
_LIMIT_PAGE = "/using-the-rest-api/rate-limits-for-the-rest-api"


class Gate:
    """Lets requests in and answers out."""

    def __init__(self, hub: Hub, limits: RateLimits, faults: Faults) -> None:
        self._hub, self._limits, self._faults = hub, limits, faults
        self._under_way = 0

    def endpoint(self, handler: Handler, free: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """A handler as Starlette wants it; `free` ones cost no quota."""

        async def endpoint(request: Request) -> Response:
            content = await request.body()
            return await self.faulty(request, self._answer(request, handler, free), content)

        return endpoint

    async def faulty(
        self, request: Request, work: Coroutine[Any, Any, Response], content: bytes = b""
    ) -> Response:
        """Do the work, unless a fault says otherwise. `content` is what of the body a fault may look for."""
        fault = self._faults.take("github", f"{request.method} {request.url.path}", content=content)
        if fault is None:
            return await work
        if fault.refuses:
            work.close()
            return _refused(fault)
        await asyncio.sleep(CLOCK.real(fault.seconds))
        if fault.kind == "hang":
            work.close()
            return Cut()
        response = await work
        return Cut(response) if fault.kind == "lost" else response

    async def _answer(self, request: Request, handler: Handler, free: bool) -> Response:
        marks = {"X-GitHub-Request-Id": _request_id(), "X-GitHub-Media-Type": "github.v3; format=json"}
        self._under_way += 1
        try:
            response = await self._limited(request, handler, free, marks["X-GitHub-Request-Id"])
        except GitHubError as error:
            response = JSONResponse(error.body(), status_code=error.status, headers=error.headers)
        except NoSuchThing:
            response = JSONResponse(not_found().body(), status_code=404)
        except Exception:
            log.exception("GitHub could not answer %s %s", request.method, request.url.path)
            response = JSONResponse({"message": "Server Error"}, status_code=500)
        finally:
            self._under_way -= 1
        response.headers.update({**marks, "X-GitHub-Api-Version-Selected": "2022-11-28"})
        response.headers.setdefault("Vary", "Accept, Authorization, Accept-Encoding, X-Requested-With")
        return response

    async def _limited(self, request: Request, handler: Handler, free: bool, request_id: str) -> Response:
        refusal: GitHubError | None = None
        try:
            caller = caller_of(request.headers.get("authorization"))
        except GitHubError as error:
            caller, refusal = Caller(), error
        limit = USER if caller.login else ANONYMOUS
        self._secondary(request_id)
        allowed, window = (
            (True, self._limits.window(caller.key, limit)) if free else self._limits.spend(caller.key, limit)
        )
        if not allowed:
            raise _exceeded(caller, request_id, window.headers())
        try:
            if refusal is not None:
                raise refusal
            response = await self._handled(request, handler, caller)
        except GitHubError as error:
            error.headers |= window.headers()
            raise
        except NoSuchThing:
            raise GitHubError(404, "Not Found", headers=window.headers()) from None
        except Moved:
            raise GitHubError(409, "Reference cannot be updated", headers=window.headers()) from None
        if response.status_code == 304 and caller.login and not free:
            window = self._limits.give_back(caller.key, limit)
        response.headers.update(window.headers())
        return response

    async def _handled(self, request: Request, handler: Handler, caller: Caller) -> Response:
        if not _is_text(request.url.path, *request.path_params.values(), *request.query_params.values()):
            raise not_found()
        if request.method not in ("GET", "HEAD") and not caller.login:
            raise GitHubError(401, "Requires authentication")
        call = Call(
            self._hub, caller, request.path_params, dict(request.query_params), await _body(request),
            request.url.path, request.headers.get("accept", ""),
        )  # fmt: skip
        answer = await run_in_threadpool(_admitted, handler, call)
        return answered(request, answer if isinstance(answer, Answer) else Answer(answer))

    def _secondary(self, request_id: str) -> None:
        found = self._limits.take_secondary()
        if found is None and self._under_way <= AT_ONCE:
            return
        status, seconds = (found.status, found.retry_after) if found else (403, 60)
        raise secondary_limit(status, seconds, request_id)


def secondary_limit(status: int, seconds: int, request_id: str) -> GitHubError:
    """403 or 429 for too much at once."""
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
        f"If you reach out to GitHub Support for help, please include the request ID {request_id}."
    )
    page = f"{_LIMIT_PAGE}#about-secondary-rate-limits"
    return GitHubError(status, message, page=page, headers={"Retry-After": str(seconds)})


def _is_text(*values: Any) -> bool:
    """Whether a request names things in characters that a name can have."""
    return all(str(value).isprintable() for value in values)


def _admitted(handler: Handler, call: Call) -> Any:
    """Call the handler, for a repository that this caller may know of."""
    if "repo" in call.path:
        call.hub.admit(call.full, call.caller)
    return handler(call)


async def _body(request: Request) -> Any:
    """The request's JSON; 400 when it is none, or no object where GitHub wants one."""
    text = await request.body()
    if request.method in ("GET", "HEAD") or not text.strip():
        return {}
    try:
        read = json.loads(text)
        json.dumps(read, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        raise GitHubError(400, "Problems parsing JSON") from None
    if not isinstance(read, dict) and not request.url.path.endswith("/labels"):
        raise GitHubError(400, "Body should be a JSON object")
    fields.check(read)
    return read


def answered(request: Request, answer: Answer) -> Response:
    """The answer as HTTP: with an ETag, or 304 when the client has it already."""
    headers = dict(answer.headers)
    if answer.status == 201 and isinstance(answer.body, dict) and answer.body.get("url"):
        headers["Location"] = str(answer.body["url"])
    if "Location" in headers:
        headers["Location"] = quote(headers["Location"], safe=_URL)
    if answer.status == 204 or (answer.body is None and answer.raw is None):
        return Response(status_code=answer.status, headers=headers)
    content = answer.raw if answer.raw is not None else json.dumps(answer.body).encode()
    media = headers.pop("Content-Type", "application/json; charset=utf-8")
    if answer.status == 200 and request.method in ("GET", "HEAD"):
        headers["ETag"] = f'W/"{hashlib.sha256(content).hexdigest()}"'
        headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
        if changed := _last_modified(answer.body):
            headers["Last-Modified"] = format_datetime(changed, usegmt=True)
        if _unchanged(request, headers["ETag"], changed):
            return Response(status_code=304, headers=headers)
    return Response(content, status_code=answer.status, headers=headers, media_type=media)


def _last_modified(body: Any) -> datetime | None:
    """When one thing last changed, where GitHub says so: commits and what has `updated_at`."""
    if not isinstance(body, dict):
        return None
    inner = body.get("commit")
    committer = inner.get("committer") if isinstance(inner, dict) and "sha" in body else None
    moment = body.get("updated_at") or (committer or {}).get("date")
    return datetime.fromisoformat(moment).astimezone(UTC) if isinstance(moment, str) else None


def _unchanged(request: Request, etag: str, changed: datetime | None) -> bool:
    """Whether the client's copy is still good. An ETag, when sent, decides alone (RFC 9110, 13.2.2)."""
    if known := request.headers.get("if-none-match"):
        tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
        return known.strip() == "*" or etag.removeprefix("W/") in tags
    since = request.headers.get("if-modified-since")
    if not since or changed is None:
        return False
    try:
        return changed <= parsedate_to_datetime(since)
    except (TypeError, ValueError):
        return False


def _exceeded(caller: Caller, request_id: str, headers: dict[str, str]) -> GitHubError:
    """403 for a used-up hour."""
    moment = CLOCK.utcnow().strftime("%Y-%m-%d %H:%M:%S UTC")
    message = (
        f"API rate limit exceeded for user ID {caller.login}. If you reach out to GitHub Support for help, "
        f"please include the request ID {request_id} and timestamp {moment}."
        if caller.login
        else "API rate limit exceeded for 127.0.0.1. (But here's the good news: Authenticated requests get a "
        "higher rate limit. Check out the documentation for more details.)"
    )
    return GitHubError(403, message, page=_LIMIT_PAGE, headers=headers)


def _request_id() -> str:
    text = uuid.uuid4().hex.upper()
    return f"{text[:4]}:{text[4:10]}:{text[10:17]}:{text[17:24]}:{text[24:]}"


def _refused(fault: Fault) -> Response:
    """What a fault answers: GitHub throttles with its secondary limit, and hides why it failed."""
    marks = {"X-GitHub-Request-Id": _request_id()}
    if fault.kind == "throttle":
        error = secondary_limit(fault.status, 60, marks["X-GitHub-Request-Id"])
        return JSONResponse(error.body(), status_code=error.status, headers={**error.headers, **marks})
    message = "Server Error" if fault.status >= 500 else fault.message
    return JSONResponse({"message": message}, status_code=fault.status, headers=marks)


class Cut(Response):
    """No answer: what there is to do is done, then the connection is cut."""

    def __init__(self, answer: Response | None = None) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer nobody."""

        async def nowhere(message: Message) -> None:
            """Nothing is sent."""

        if self._answer is not None:
            await self._answer(scope, receive, nowhere)
        # uvicorn hands out no connection, but its `receive` is a method of what holds one.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is None:
            raise RuntimeError("this server has no connection to cut")
        transport.abort()
