"""An OpenAI-compatible endpoint as a writer: what it says when all is well, and patience when it is not.

    POST {base}/chat/completions    {"model", "messages": [{"role": "user", "content": PROMPT}], "temperature", ...}
      ->  {"choices": [{"message": {"content": "A dog on a beach."}, "finish_reason": "stop"}],
           "usage": {"prompt_tokens": 812, "completion_tokens": 9}}
    POST {base}/completions         {"model", "prompt": PROMPT, "stop": ["\\n"], ...}
      ->  {"choices": [{"text": " A dog on a beach.", "finish_reason": "stop"}], "usage": {...}}

The field names are OpenAI's API reference's (developers.openai.com/api/reference, chat/completions and completions).
Notable: busy (429), broken (5xx), silent or babbling endpoints are asked again after 1, 2, 4, ... seconds, or when they say
they will be ready; only then is it over, and what others have answered meanwhile is handed out first. Newer models refuse
`max_tokens` and want `max_completion_tokens`, some servers know no `seed`: the refusal names the field, and it is renamed or
left out from then on. Redirects are not followed, as they would carry the key to another host.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from imageless.errors import InputError
from imageless.options import SynthesizeOptions
from imageless.synthesis.writers import Asked, Written

log = logging.getLogger(__name__)

OPENAI = "https://api.openai.com/v1"
KEYS = ("IMAGELESS_API_KEY", "OPENAI_API_KEY")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds between two tries
LARGEST = 4 << 20  # bytes; the answer to a caption is below one percent of that
RENAMED = {"max_tokens": "max_completion_tokens", "seed": None}  # what servers refuse, and its newer name
TELL_EVERY = 10.0  # seconds between two lines on waiting, as all requests under way wait at once


class _Again(Exception):
    """A failure that may pass, in words, with the seconds that the endpoint asked to wait."""

    def __init__(self, words: str, after: float | None = None):
        super().__init__(words)
        self.after = after


class Endpoint:
    """A server that goes on with prompts; `batch_size` requests are under way at a time."""

    def __init__(self, lm: str, options: SynthesizeOptions):
        self.base, self.model = _address(lm, options.base_url)
        self.options = options
        self.key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        if self.key is None and self.base == OPENAI:
            raise InputError(f"expected a key for {OPENAI} in the environment, got none; export {KEYS[1]}=...")
        self.opener = urllib.request.build_opener(_Stay)
        self.refused: set[str] = set()
        self.over = threading.Event()
        self.told = 0.0

    def fits(self, prompt: str) -> bool:
        """Only the endpoint knows; it says so when it does not."""
        return True

    def write(self, asked: Sequence[Asked]) -> Iterator[Written]:
        self.over.clear()
        pool = ThreadPoolExecutor(self.options.batch_size)
        trouble = None
        try:
            futures = [pool.submit(self._answer, one) for one in asked]
            for future in as_completed(futures):
                try:
                    yield future.result()
                except CancelledError:
                    continue
                except InputError as error:
                    trouble = trouble or error
                    for waiting in futures:
                        waiting.cancel()
        finally:
            self.over.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if trouble is not None:
            raise trouble

    def _answer(self, one: Asked) -> Written:
        """One caption; where trouble is past mending nothing more is asked, but answers under way may still come."""
        if self.over.is_set():
            raise CancelledError
        try:
            return self._insist(one)
        except InputError:
            self.over.set()
            raise

    def _insist(self, one: Asked) -> Written:
        tried = 0
        while True:
            try:
                return self._read(one, self._post(one))
            except _Again as again:
                trouble, pause = again, again.after
            if pause is None:
                pause = FIRST_PAUSE * 2**tried * random.uniform(0.75, 1.25)
            pause, tried = min(pause, LONGEST_PAUSE), tried + 1
            if tried <= self.options.retries:
                self._tell(f"{self.base}: {trouble}; asking again in {pause:.0f} s")
                if self.over.wait(pause):  # another request has tried its last: its words count
                    raise CancelledError
            else:
                raise InputError(
                    f"expected an answer from {self.base}, got {trouble} (asked {tried} times); "
                    "what is written so far is safe: go on later with --resume"
                )

    def _tell(self, line: str) -> None:
        now = time.monotonic()
        if now - self.told > TELL_EVERY or not self.told:
            self.told = now
            log.warning("%s", line)

    def _post(self, one: Asked) -> bytes:
        refused = frozenset(self.refused)
        path = "/chat/completions" if self.options.api == "chat" else "/completions"
        request = urllib.request.Request(self.base + path, json.dumps(self._body(one, refused)).encode())
        request.add_header("Content-Type", "application/json")
        if self.key is not None:
            request.add_header("Authorization", f"Bearer {self.key}")
        try:
            with self.opener.open(request, timeout=self.options.timeout) as answer:
                return _all_of(answer, self.options.timeout)
        except urllib.error.HTTPError as error:
            with error:
                code, told, after = error.code, _message(error), _seconds(error.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException) as error:  # refused, reset, silent, or no HTTP at all
            raise _Again(_in_words(error, self.options.timeout)) from None
        if code == 429 and "insufficient_quota" in told:
            raise InputError(f"expected credit left at {self.base}, got HTTP 429: {told}; --resume when there is")
        if code in (408, 409, 425, 429) or code >= 500:
            raise _Again(f"HTTP {code}: {told}", after)
        if code in (400, 422) and (new := {name for name in RENAMED if name in told} - refused):
            self.refused |= new
            return self._post(one)
        if code == 400 and ("content_filter" in told or "content_policy" in told):
            return b'{"choices": [{"message": {"content": ""}, "text": "", "finish_reason": "stop"}]}'
        raise InputError(f"{self.base}: expected captions of {self.model!r}, got HTTP {code}: {told}{_advice(code)}")

    def _body(self, one: Asked, refused: frozenset[str]) -> dict[str, Any]:
        if self.options.api == "chat":
            body: dict[str, Any] = {"messages": [{"role": "user", "content": one.prompt}]}
        else:
            body = {"prompt": one.prompt, "stop": ["\n"]}
        body |= {"model": self.model, "temperature": self.options.temperature, "top_p": self.options.top_p}
        for name, value in (("max_tokens", self.options.longest), ("seed", one.seed % 2**31)):
            called = RENAMED[name] if name in refused else name
            body |= {called: value} if called is not None else {}
        return body

    def _read(self, one: Asked, answer: bytes) -> Written:
        """The caption in an answer; anything else is babble."""
        try:
            told = json.loads(answer)
            choice = told["choices"][0]
            text = choice["message"].get("content") if self.options.api == "chat" else choice["text"]
            usage = told.get("usage") or {}
            tokens = int(usage.get("prompt_tokens") or 0) + int(usage.get("completion_tokens") or 0)
            lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            raise _Again(f"no completion but {_short(answer)!r}") from None
        ended = len(lines) > 1 or choice.get("finish_reason") != "length"
        return Written(one.number, lines[0] if lines else "", ended, tokens)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
        return None


def _address(lm: str, base_url: str | None) -> tuple[str, str]:
    """Where the endpoint lies and which model it is to use."""
    if lm.startswith("openai:"):
        base, model = base_url or OPENAI, lm.removeprefix("openai:")
    elif base_url is not None:
        raise InputError(f"expected one address, got --lm {lm} and --base-url {base_url}; leave one out")
    else:
        parts = urlsplit(lm)
        base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        model = parse_qs(parts.query).get("model", [""])[0]
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).netloc:
        raise InputError(f"expected an address such as http://localhost:8000/v1, got {base!r}")
    if not model:
        raise InputError(f"expected the name of a model in --lm (http://host/v1?model=NAME or openai:NAME), got {lm!r}")
    return base.rstrip("/"), model


def _all_of(answer: http.client.HTTPResponse, timeout: float) -> bytes:
    """The whole answer, unless it drips for longer than that or never ends."""
    deadline, parts, size = time.monotonic() + timeout, [], 0
    while part := answer.read1(65536):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > LARGEST:
            raise _Again(f"over {LARGEST >> 20} MB for one caption")
    return b"".join(parts)


def _message(error: urllib.error.HTTPError) -> str:
    """What the endpoint says went wrong, in one short line."""
    try:
        raw = error.read(65536)
    except (OSError, http.client.HTTPException):
        return error.reason
    try:
        told = json.loads(raw)["error"]
        return _short(f"{told['message']} ({told['code']})" if told.get("code") else told["message"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return _short(raw) or str(error.reason)


def _short(text: bytes | str, longest: int = 160) -> str:
    line = " ".join((text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)).split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


def _seconds(told: str | None) -> float | None:
    """Retry-After in seconds; a date, the other form it may have, is not worth reading."""
    try:
        return max(0.0, float(told)) if told is not None else None
    except ValueError:
        return None


def _in_words(error: Exception, timeout: float) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout:g} s"
    return f"no answer ({_short(str(cause)) or type(cause).__name__})"


def _advice(code: int) -> str:
    if code in (401, 403):
        return f"; check the key in {' or '.join(KEYS)}"
    if code == 404:
        return "; check the address and the model's name"
    return "; lower --shots if the prompt is too long" if code in (400, 413, 422) else ""
