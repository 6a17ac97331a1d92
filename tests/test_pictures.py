"""Whatever a picture file holds, `load` gives upright RGB or one line; naming a picture opens nothing."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tarfile
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from imageless import pictures
from imageless.errors import InputError
from imageless.pictures import BytesPicture, FilePicture, TarPicture

RED, WHITE, MIDDLE = (255, 0, 0), (255, 255, 255), (128, 128, 128)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def colour(mode: str, value) -> Image.Image:
    return Image.new(mode, (16, 12), value)


def array(values, dtype) -> Image.Image:
    return Image.fromarray(np.broadcast_to(np.asarray(values, dtype), (12, 16)).copy())


def palette_with_hole() -> Image.Image:
    image = colour("P", 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    return image


def half(left: int, right: int) -> np.ndarray:
    return np.repeat([[left, right]], 8, axis=1)


ODD: dict[str, tuple[Callable[[], bytes], tuple[int, int, int]]] = {
    "rgb.jpg": (lambda: encoded(colour("RGB", RED), "JPEG"), RED),
    "grey.jpg": (lambda: encoded(colour("L", 128), "JPEG"), MIDDLE),
    "cmyk.jpg": (lambda: encoded(colour("CMYK", (0, 255, 255, 0)), "JPEG"), RED),
    "ycbcr.jpg": (lambda: encoded(colour("YCbCr", (76, 85, 255)), "JPEG"), RED),
    "one bit.png": (lambda: encoded(colour("1", 1), "PNG"), WHITE),
    "grey.png": (lambda: encoded(colour("L", 128), "PNG"), MIDDLE),
    "grey and alpha.png": (lambda: encoded(colour("LA", (0, 127)), "PNG"), MIDDLE),
    "palette.png": (lambda: encoded(palette_with_hole(), "PNG"), RED),
    "palette, clear index.png": (lambda: encoded(palette_with_hole(), "PNG", transparency=0), WHITE),
    "palette, alpha bytes.png": (lambda: encoded(palette_with_hole(), "PNG", transparency=b"\0\xff"), WHITE),
    "clear black.png": (lambda: encoded(colour("RGBA", (0, 0, 0, 0)), "PNG"), WHITE),
    "half black.png": (lambda: encoded(colour("RGBA", (0, 0, 0, 127)), "PNG"), MIDDLE),
    "rgb, clear colour.png": (lambda: encoded(colour("RGB", RED), "PNG", transparency=RED), WHITE),
    "16 bit grey.png": (lambda: encoded(array(32896, np.uint16), "PNG"), MIDDLE),
    "16 bit grey.pgm": (lambda: b"P5 2 1 65535\n" + b"\x80\x80" * 2, MIDDLE),
    "16 bit big-endian.tif": (lambda: encoded(colour("I;16B", 32896), "TIFF"), MIDDLE),
    "32 bit.tif": (lambda: encoded(array(32896, np.int32), "TIFF"), MIDDLE),
    "32 bit, wide.tif": (lambda: encoded(array(half(10_000_000, -5), np.int32), "TIFF"), WHITE),
    "float to 1.tif": (lambda: encoded(array(0.5, np.float32), "TIFF"), MIDDLE),
    "float to 255.tif": (lambda: encoded(array(128, np.float32), "TIFF"), MIDDLE),
    "float, wide.tif": (lambda: encoded(array(half(4000, -3), np.float32), "TIFF"), WHITE),
    "float, not a number.tif": (lambda: encoded(array(half(1, np.nan), np.float32), "TIFF"), WHITE),
    "cmyk.tif": (lambda: encoded(colour("CMYK", (0, 255, 255, 0)), "TIFF"), RED),
    "lab.tif": (lambda: encoded(colour("LAB", (255, 128, 128)), "TIFF"), WHITE),
    "animated.gif": (lambda: encoded(colour("RGB", RED), "GIF", save_all=True, append_images=[colour("L", 0)]), RED),
    "animated.png": (lambda: encoded(colour("RGB", RED), "PNG", save_all=True, append_images=[colour("RGB", 0)]), RED),
    "animated.webp": (
        lambda: encoded(colour("RGB", RED), "WEBP", lossless=True, save_all=True, append_images=[colour("RGB", 0)]),
        RED,
    ),
    "clear.webp": (lambda: encoded(colour("RGBA", (9, 9, 9, 0)), "WEBP", lossless=True), WHITE),
    "plain.bmp": (lambda: encoded(colour("RGB", RED), "BMP"), RED),
    "plain.tga": (lambda: encoded(colour("RGB", RED), "TGA"), RED),
    "icon.ico": (lambda: encoded(Image.new("RGBA", (16, 16), RED), "ICO"), RED),
    "wavelet.jp2": (lambda: encoded(colour("RGB", RED), "JPEG2000"), RED),
    "plain.avif": (lambda: encoded(colour("RGB", RED), "AVIF", quality=100), RED),
}


def odd(name: str) -> bytes:
    if (name.endswith(".avif") and not features.check("avif")) or (
        name.endswith(".jp2") and not features.check("jpg_2000")
    ):
        pytest.skip("this Pillow was built without the format")
    return ODD[name][0]()


@pytest.mark.parametrize("name", ODD)
def test_every_mode_becomes_the_rgb_a_person_would_see(name):
    image = pictures.load(BytesPicture(name, odd(name)))
    assert image.mode == "RGB" and min(image.size) >= 1
    assert np.abs(np.asarray(image)[0, 0].astype(int) - ODD[name][1]).max() <= 3


def test_16_bit_grey_is_scaled_not_clipped():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    image = pictures.load(BytesPicture("ramp", encoded(Image.fromarray(ramp), "PNG")))
    assert np.asarray(image)[0, :, 0].tolist() == list(range(256))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotation_that_exif_asks_for_is_applied_once(format, orientation):
    """Whichever way the camera was held, the white patch ends where the photographer saw it: top left."""
    scene = Image.new("RGB", (48, 32))
    scene.paste(WHITE, (0, 0, 16, 16))
    turn = Image.Transpose
    stored_by = {
        1: None,
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }[orientation]
    stored = scene if stored_by is None else scene.transpose(stored_by)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = pictures.load(BytesPicture("turned", encoded(stored, format, exif=exif)))
    assert image.size == (48, 32)
    assert np.asarray(image)[4, 4].min() > 200 and np.asarray(image)[28, 44].max() < 50


@pytest.mark.parametrize(
    ("format", "size", "least", "left"),
    [
        ("JPEG", (1600, 1200), 224, (800, 600)),  # a third would do: halves only
        ("JPEG", (4032, 3024), 224, (1008, 756)),
        ("JPEG", (4032, 3024), 64, (504, 378)),  # an eighth is the least there is
        ("JPEG", (640, 480), 224, (640, 480)),  # a half would be less than twice as much as is looked at
        ("PNG", (1600, 1200), 224, (1600, 1200)),
    ],
)
def test_a_jpeg_is_decoded_no_larger_than_it_has_to_be(format, size, least, left):
    stored = BytesPicture("large", encoded(Image.new("RGB", size, "teal"), format))
    assert pictures.load(stored, least=least).size == left
    assert pictures.load(stored).size == size


@pytest.mark.parametrize(("mode", "shade"), [("L", 77), ("RGB", (200, 60, 30)), ("CMYK", (0, 90, 200, 20))])
def test_a_smaller_decoding_shows_the_same(mode, shade):
    """Turned as EXIF says, of whatever mode, and nearly the pixels that scaling the whole would give."""
    wave = Image.fromarray((127 + 100 * np.sin(np.mgrid[0:900, 0:1200][1] / 60)).astype(np.uint8))
    scene = Image.composite(Image.new(mode, wave.size, shade), Image.new(mode, wave.size), wave)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = BytesPicture("photo", encoded(scene, "JPEG", quality=95, exif=exif))
    whole, part = pictures.load(stored), pictures.load(stored, least=100)
    assert (whole.size, part.size) == ((900, 1200), (225, 300))
    small = [np.asarray(image.resize((90, 120), Image.Resampling.BICUBIC), dtype=int) for image in (whole, part)]
    assert np.abs(small[0] - small[1]).max() <= 6


def test_a_damaged_exif_block_does_not_cost_the_picture():
    data = encoded(colour("RGB", RED), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01broken")
    assert pictures.load(BytesPicture("odd", data)).size == (16, 12)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


REFUSED = {
    "empty": (b"", "an empty file"),
    "words": (b"this is no picture, but a sentence", "bytes of no known format"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "bytes of no known format"),
    "cut jpeg": (encoded(Image.effect_noise((64, 64), 80), "JPEG")[:900], "a damaged one"),
    "cut png": (encoded(Image.effect_noise((64, 64), 80), "PNG")[:900], "a damaged one"),
    "bomb": (png_header(100_000, 100_000), "more than 178,956,970 pixels"),
    "half a bomb": (png_header(12_000, 10_000), "a damaged one"),  # Pillow only warns of this size
    "no pixels": (png_header(0, 0), "expected a picture"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_is_refused_in_one_line(name):
    data, words = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        pictures.load(BytesPicture(name, data))
    assert words in str(refusal.value) and str(refusal.value).startswith(name) and "\n" not in str(refusal.value)


def test_a_lower_limit_of_pixels_holds_before_decoding():
    with pytest.raises(InputError, match="100 x 100 pixels, of at most 9,999"):
        pictures.load(BytesPicture("large", encoded(Image.new("L", (100, 100)), "PNG")), max_pixels=9_999)


@pytest.mark.parametrize("name", ODD)
def test_damage_anywhere_gives_a_picture_or_one_line(name):
    """Random cuts and flips of every format: nothing but an InputError comes out, and never a warning."""
    data, draw = odd(name), random.Random(name)
    for _ in range(25):
        damaged = bytearray(data[: draw.randint(1, len(data))] if draw.random() < 0.3 else data)
        for _ in range(draw.randint(1, 6)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            assert pictures.load(BytesPicture("x", bytes(damaged)), max_pixels=10_000).mode == "RGB"
        except InputError as refusal:
            assert "\n" not in str(refusal)


@pytest.mark.parametrize(("make", "words"), [(Path.mkdir, "a folder"), (os.mkfifo, "a pipe"), (None, "no such file")])
def test_a_path_that_holds_no_file_is_refused_without_waiting(tmp_path, make, words):
    path = tmp_path / "photo.jpg"
    if make:
        make(path)
    with pytest.raises(InputError, match=words):
        pictures.load(FilePicture(str(path)))


def test_threads_share_the_silence_and_give_the_warnings_back():
    rule = warnings.filters[:]
    data = encoded(colour("RGB", RED), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01broken")
    sizes: list[tuple[int, int]] = []
    threads = [
        threading.Thread(target=lambda: [sizes.append(pictures.load(BytesPicture("x", data)).size) for _ in range(50)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [(16, 12)] * 400 and warnings.filters == rule


def test_the_module_is_light_and_naming_opens_nothing():
    """Neither Pillow nor numpy is imported before a picture is opened; a name of nothing is still a name."""
    code = (
        "import sys, imageless.pictures as p; p.FilePicture('no.jpg'); assert not {'PIL', 'numpy'} & set(sys.modules)"
    )
    source = Path(pictures.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(source)})


# --- where pictures lie


def tar_of(path: Path, members: dict[str, bytes], mode="w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return path


@pytest.fixture
def photo() -> bytes:
    return encoded(colour("RGB", RED), "PNG")


def test_pictures_travel_between_processes(tmp_path, photo):
    (tmp_path / "a.png").write_bytes(photo)
    tar = tar_of(tmp_path / "a.tar", {"b.png": photo})
    for picture in (FilePicture(str(tmp_path / "a.png")), *pictures.tar_pictures(str(tar)), BytesPicture("c", photo)):
        again = pickle.loads(pickle.dumps(picture))
        assert again == picture and again.stamp == picture.stamp
        assert pictures.load(again).tobytes() == colour("RGB", RED).tobytes()


def test_a_stamp_changes_with_the_file(tmp_path, photo):
    file = tmp_path / "a.png"
    picture = FilePicture(str(file))
    stamps = {picture.stamp}
    for data in (photo, photo + b"more"):
        file.write_bytes(data)
        stamps.add(picture.stamp)
    assert len(stamps) == 3


def test_a_name_inside_a_tar_is_only_a_name(tmp_path, photo):
    """Members called ../x or /x are read where they lie; nothing is written anywhere."""
    tar = tar_of(tmp_path / "deep.tar", {"../../evil.png": photo, "/etc/evil.png": photo, "x" * 200 + ".png": photo})
    before = sorted(tmp_path.rglob("*"))
    found = pictures.find([str(tar)])
    assert [picture.name for picture in found] == ["../../evil.png", "/etc/evil.png", "x" * 200 + ".png"]
    assert all(pictures.load(picture).size == (16, 12) for picture in found)
    assert sorted(tmp_path.rglob("*")) == before


def test_find_takes_files_folders_globs_and_tars(tmp_path, photo):
    for name in ("b.PNG", "a.jpg", "deep/er/c.png", "notes.txt", "._a.jpg", ".hidden/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(photo)
    tar = tar_of(tmp_path / "more.tar", {"e.png": photo, "e.json": b"{}"})

    def found(*paths: str) -> list[str]:
        return [os.path.relpath(picture.name, tmp_path) for picture in pictures.find(paths)]

    assert found(str(tmp_path)) == ["a.jpg", "b.PNG", "deep/er/c.png"]
    assert found(f"{tmp_path}/*.jpg", f"{tmp_path}/b.PNG") == ["a.jpg", "b.PNG"]
    assert found(f"{tmp_path}/**/*.png") == ["deep/er/c.png"]
    assert found(f"{tmp_path}/b.PNG", str(tmp_path), f"{tmp_path}/b.PNG") == ["b.PNG", "a.jpg", "deep/er/c.png"]
    assert pictures.find([str(tar)]) == [TarPicture(str(tar), "e.png", 512, len(photo))]
    assert [picture.name for picture in pictures.find([f"{tmp_path}/*.tar"])] == ["e.png"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path, photo):
    (tmp_path / "a[1].png").write_bytes(photo)
    assert [picture.name for picture in pictures.find([f"{tmp_path}/a[1].png"])] == [f"{tmp_path}/a[1].png"]


@pytest.mark.parametrize(
    ("path", "words"),
    [("gone.jpg", "no such file"), ("gone*.jpg", "a pattern of pictures"), ("", r"a folder with pictures.*\.jpg")],
)
def test_finding_nothing_is_a_mistake(tmp_path, path, words):
    with pytest.raises(InputError, match=words):
        pictures.find([str(tmp_path / path)])


def test_a_damaged_tar_is_refused(tmp_path, photo):
    tar = tar_of(tmp_path / "a.tar", {f"{number}.png": photo for number in range(30)})
    whole = tar.read_bytes()
    overwritten = whole[:1024] + b"?" * 512 + whole[1536:]
    for data in (whole[:1300], whole[: 1024 + 600], overwritten, b"", b"no tar at all" * 100):
        tar.write_bytes(data)
        with pytest.raises(InputError, match=r"a\.tar: expected a complete, uncompressed tar"):
            list(pictures.tar_members(str(tar)))
    with pytest.raises(InputError, match="uncompressed"):
        list(pictures.tar_members(str(tar_of(tmp_path / "z.tar", {"a.png": photo}, mode="w:gz"))))


def test_a_tar_that_changed_since_it_was_listed_is_noticed(tmp_path, photo):
    tar = tar_of(tmp_path / "a.tar", {"a.png": photo})
    picture = pictures.find([str(tar)])[0]
    tar.write_bytes(tar.read_bytes()[:530])
    with pytest.raises(InputError, match="18 of"):
        pictures.load(picture)
