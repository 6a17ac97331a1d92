"""Answers over HTTP, and one page to ask on: `imageless serve RUN`."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from imageless import limits
from imageless.errors import InputError
from imageless.options import ServeOptions

log = logging.getLogger(__name__)


def serve(runs: Sequence[Path], options: ServeOptions, ready: Callable[[str], None]) -> None:
    """Answer until stopped; `ready` is told the address once requests are taken."""
    limits.check(options)
    try:
        import uvicorn

        from imageless.serving.app import application
    except ModuleNotFoundError as error:
        raise InputError(
            f"serve: expected the extra `serve`, got no module {error.name!r}; pip install 'imageless[serve]'"
        ) from None
    from imageless.serving.answering import Answerer
    from imageless.serving.gallery import gallery

    listening = _listening(options.host, options.port)
    answerer = Answerer(runs, options)
    app = application(answerer, gallery(options.gallery, answerer), options)
    host, port = listening.getsockname()[:2]
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, timeout_graceful_shutdown=int(options.timeout)
    )
    with suppress(KeyboardInterrupt):  # raised again once what was begun is answered
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """Taken before the models are loaded, so that a port in use is told at once."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--host {host} --port {port}: expected an address to listen at, got {error}; choose another --port"
        ) from None
