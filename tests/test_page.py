"""The page in a real browser: what is shown to it, asked on it, and what it says when that goes wrong."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright import sync_api as playwright

from imageless.options import ServeOptions, TrainOptions
from imageless.serving.answering import Answerer
from imageless.serving.app import application
from imageless.serving.gallery import gallery
from imageless.stages.train import train


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, headless; its root may fetch it."""
    if shutil.which("chromium") is None and shutil.which("apt-get") and os.geteuid() == 0:
        fetch = "apt-get update -qq && apt-get install -y -qq chromium"
        subprocess.run(fetch, shell=True, capture_output=True, check=False)
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not here: apt install chromium")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


class Server:
    """The real thing on loopback, in a thread, that can be stopped."""

    def __init__(self, runs: list[Path]):
        options = ServeOptions(device="cpu")
        answerer = Answerer(runs, options)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        app = application(answerer, gallery(None, answerer), options)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.socket.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, run, encoder_folder) -> list[Path]:
    out = tmp_path_factory.mktemp("page") / "answers"
    options = TrainOptions(device="cpu", steps=20, limit=200, noise=0.02, learning_rate=5e-3)
    train("entailment", ["world:entailment"], out, str(encoder_folder), "world:32x1", options)
    return [run, out]


@pytest.fixture(scope="module")
def server(runs) -> Iterator[Server]:
    server = Server(runs)
    yield server
    server.stop()


@pytest.fixture
def page(browser, server):
    """The page, loaded; whatever it complains of to the console fails the test, but for requests refused on purpose."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(20_000)
    page.goto(server.address)
    page.wait_for_selector("#gallery button")
    yield page
    context.close()
    assert [said for said in complaints if not said.startswith("Failed to load resource")] == []


def said(page, side: str = "picture") -> str:
    page.wait_for_selector(f"#from-{side}:not(.waits) .said")
    return page.inner_text(f"#from-{side} .said")


def test_a_dropped_file_is_captioned(page, album):
    name, data = "003.png", (album.parent / "003.png").read_bytes()
    dropped = page.evaluate_handle(
        """([name, bytes]) => {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
            return held;
        }""",
        [name, list(data)],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    assert said(page) and page.locator("#from-picture tr").count() == 5
    assert page.locator("#map circle.image.here").count() == 1
    assert page.locator("#history li").count() == 1 and page.is_hidden("#trouble")


def test_a_question_is_asked_of_a_picture_and_of_a_sentence(page, runs):
    page.click("#gallery button >> nth=2")
    assert said(page)
    page.click("#verbs label:has-text('Entail')")
    assert page.is_hidden("#from-picture")  # it answered something else
    page.fill("#hypothesis", "there is a dog")
    page.press("#hypothesis", "Enter")
    assert said(page) in ("entailment", "neutral", "contradiction")
    assert "%" in page.inner_text("#from-picture table")
    page.fill("#text", "a dog in the snow")
    page.click("text=Read it")
    assert said(page, "sentence") in ("entailment", "neutral", "contradiction")
    assert page.locator("#map circle.here").count() == 2
    assert "there is a dog" in page.inner_text("#history")


def test_a_file_that_is_no_picture_is_named(page, tmp_path):
    wrong = tmp_path / "notes.txt"
    wrong.write_text("no picture")
    page.set_input_files("#file", wrong)
    page.wait_for_selector("#trouble:not([hidden])")
    assert "expected a picture, got bytes of no known format" in page.inner_text("#trouble")
    page.click("#gallery button >> nth=0")
    assert said(page) and page.is_hidden("#trouble")


def test_keys_walk_through_the_pictures(page):
    page.keyboard.press("ArrowRight")
    assert said(page) and page.get_attribute("#gallery button >> nth=0", "aria-pressed") == "true"
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#gallery button:nth-child(12)[aria-pressed=true]")


def test_nothing_is_wider_than_a_telephone_and_everything_has_a_name(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("#gallery button >> nth=1")
    said(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    nameless = """[...document.querySelectorAll("input, select, textarea, button, img:not([alt=''])")].filter(
        (it) => !(it.labels?.length || it.ariaLabel || it.textContent.trim() || it.alt || it.querySelector?.("img[alt]"))).length"""
    assert page.evaluate(nameless) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_paper(browser, server, scheme):
    """WCAG AA: 4.5 to 1, of every colour that words have."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(server.address)
    names = ["--ink", "--soft", "--mark", "--cool", "--paper", "--card"]
    given = page.evaluate(
        "(names) => names.map((n) => getComputedStyle(document.documentElement).getPropertyValue(n).trim())", names
    )
    context.close()
    light = {name: luminance(colour) for name, colour in zip(names, given, strict=True)}
    for word in names[:4]:
        for paper in names[4:]:
            high, low = sorted((light[word], light[paper]), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (word, paper)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_server_that_is_gone_is_told(browser, runs):
    server = Server(runs)
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(server.address)
        page.wait_for_selector("#gallery button")
        time.sleep(0.2)
    finally:
        server.stop()
    page.fill("#text", "a dog in the snow")
    page.click("text=Read it")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "does not answer" in page.inner_text("#trouble")
    context.close()
