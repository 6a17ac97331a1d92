"""The routes: pictures or sentences in, answers out, and one page."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from imageless import __version__
from imageless.errors import InputError
from imageless.options import ServeOptions
from imageless.pictures import BytesPicture
from imageless.serving import messages
from imageless.serving.answering import VERBS, Answerer, Asked, Said
from imageless.serving.batcher import Batcher, Full
from imageless.serving.gallery import Gallery
from imageless.serving.guard import Guard
from imageless.serving.manual import POLICY, manual
from imageless.serving.measures import Measures
from imageless.zero_shot import expect_classes

log = logging.getLogger(__name__)
PAGE = {
    "": ("index.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": messages.Refused, "description": what}
    for code, what in {
        400: "cannot be answered",
        413: "too large",
        422: "not as expected",
        503: "busy; come back later",
    }.items()
}


class Busy(Exception):
    """Too many wait already, or it took too long."""


def application(answerer: Answerer, gallery: Gallery, options: ServeOptions) -> FastAPI:
    """The whole server, ready for any ASGI host."""
    batcher: Batcher[Asked, Said] = Batcher(answerer, options.batch_size, options.queue)
    measures = Measures(lambda: len(batcher))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(batcher.close)  # what waits is answered still
        answerer.close()

    app = FastAPI(
        title="imageless",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        description="A model that learned from text alone looks at pictures. Each verb takes a picture or a sentence in its place.",
    )
    app.add_middleware(Guard, most=int(options.megabytes * 1e6))
    if options.host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])  # no site's name may lead here
    _refusals(app)

    async def answered(verb: str, seen: messages.Seen, ask: Callable[..., Asked]) -> messages.Answered:
        began = time.perf_counter()
        with measures.timed(verb):
            pixels = None
            if seen.image is not None:
                if len(batcher) >= options.queue:
                    raise Busy  # before any work
                pixels = await run_in_threadpool(answerer.pixels, BytesPicture("image", seen.image))
            said = await _within(options.timeout, batcher, ask(pixels, seen.text or ""))
        told = asdict(replace(said.prediction, nbest=said.prediction.nbest[: seen.n_best]))
        label = told["text"] if verb == "classify" else None
        took = round(1000 * (time.perf_counter() - began), 1)
        return messages.Answered(**told, label=label, place=said.place, milliseconds=took)

    def asks(
        verb: str, seen: messages.Seen, prompt: str = "", style: str | None = None
    ) -> Awaitable[messages.Answered]:
        return answered(verb, seen, lambda pixels, text: answerer.asked(verb, prompt, style, pixels, text))

    post: Any = {"response_model_exclude_none": True, "responses": REFUSALS}

    @app.post("/caption", **post)
    async def caption(seen: messages.ToCaption) -> messages.Answered:
        """Say what is in a picture."""
        return await asks("caption", seen, style=seen.style)

    @app.post("/ask", **post)
    async def ask(seen: messages.ToAsk) -> messages.Answered:
        """Answer a question about a picture."""
        return await asks("ask", seen, seen.question)

    @app.post("/entail", **post)
    async def entail(seen: messages.ToEntail) -> messages.Answered:
        """Say whether a sentence holds of a picture."""
        return await asks("entail", seen, seen.hypothesis)

    @app.post("/news", **post)
    async def news(seen: messages.ToNews) -> messages.Answered:
        """Write a newspaper's caption for a picture."""
        return await asks("news", seen, seen.article)

    @app.post("/classify", **post)
    async def classify(seen: messages.ToClassify) -> messages.Answered:
        """Name the class of a picture among labels."""
        answerer.expect_reader()
        labels = tuple(expect_classes(seen.labels))
        return await answered(
            "classify", seen, lambda pixels, text: Asked("classify", pixels=pixels, sentence=text, labels=labels)
        )

    @app.get("/health")
    async def health() -> messages.Health:
        """Whether it stands, and what it has runs for."""
        runs = [
            messages.Run(verb=VERBS[task], task=task, name=answerer.names[task], voices=run.config.prompts)
            for task, run in answerer.runs.items()
        ]
        return messages.Health(
            status="ok", version=__version__, encoder=answerer.encoder.name, reads_sentences=answerer.reads, runs=runs
        )

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counts and times, for Prometheus."""
        return Response(measures.page(), media_type=measures.kind)

    @app.get("/gallery")
    async def offered() -> messages.Offered:
        """Pictures to try, and the map of the gap."""
        shown = [
            messages.Pictured(small=f"/gallery/{n}/small", large=f"/gallery/{n}/large", caption=each.caption)
            for n, each in enumerate(gallery.shown)
        ]
        return messages.Offered(pictures=shown, map=gallery.map)

    @app.get("/gallery/{number}/{size}", response_class=Response)
    async def picture(number: int, size: str) -> Response:
        """One of them, as JPEG: small or large."""
        if not 0 <= number < len(gallery.shown) or size not in ("small", "large"):
            raise HTTPException(404, "no such picture")
        return Response(getattr(gallery.shown[number], size), media_type="image/jpeg")

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        page = manual(app.openapi(), str(request.base_url).rstrip("/"))
        return HTMLResponse(page, headers={"content-security-policy": POLICY})

    for path, (name, kind) in PAGE.items():
        app.get(f"/{path}", include_in_schema=False)(_file(name, kind))
    return app


async def _within(seconds: float, batcher: Batcher[Asked, Said], asked: Asked) -> Said:
    """The answer, if there is room to wait for it and it comes in time."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(batcher.submit(asked)), seconds)
    except (Full, TimeoutError):
        raise Busy from None


def _file(name: str, kind: str) -> Callable[[], Awaitable[Response]]:
    content = resources.files("imageless.serving").joinpath("page", name).read_bytes()

    async def file() -> Response:
        return Response(content, media_type=kind)

    return file


def _refusals(app: FastAPI) -> None:
    """Whatever goes wrong, the answer is one line."""

    def refuse(code: int, why: str, **headers: str) -> JSONResponse:
        return JSONResponse({"error": why}, code, headers or None)

    @app.exception_handler(InputError)
    async def _(_request: Request, error: InputError) -> JSONResponse:
        return refuse(400, " ".join(str(error).split()))

    @app.exception_handler(Busy)
    async def _(_request: Request, _error: Busy) -> JSONResponse:
        return refuse(503, "busy: come back in a second", **{"retry-after": "1"})

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return refuse(422, f"{where}: {first['msg']}" if where else first["msg"].removeprefix("Value error, "))

    @app.exception_handler(HTTPException)
    async def _(_request: Request, error: HTTPException) -> JSONResponse:
        return refuse(error.status_code, str(error.detail), **(error.headers or {}))

    @app.exception_handler(Exception)
    async def _(_request: Request, error: Exception) -> JSONResponse:
        log.error("a request failed", exc_info=error)
        return refuse(500, "a fault of the server's; its log says more")
