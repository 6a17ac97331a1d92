"""What is installed, reachable and fast here: what `imageless check` says on one screen."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from imageless import __version__, processor
from imageless.benchmarks import ceilings
from imageless.folders import cache

PACKAGES = ("torch", "transformers", "accelerate", "open-clip-torch", "timm")
EXTRAS = {"datasets": "data", "webdataset": "data", "pycocoevalcap": "metrics", "nltk": "concepts"}


def check() -> dict[str, str]:
    """A line for each thing worth knowing."""
    import torch

    missing = [
        f"{name} (pip install 'imageless[{extra}]')" for name, extra in EXTRAS.items() if find_spec(name) is None
    ]
    return {
        "imageless": __version__,
        **{name: _version(name) for name in PACKAGES},
        "extras missing": ", ".join(missing) or "none",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "cores": f"{processor.cores()}, torch uses {torch.get_num_threads()} threads",
        "matrix product": ", ".join(
            f"{name} {ceilings.gflops(getattr(torch, name), 1024):,.0f} GFLOP/s" for name in ("float32", "bfloat16")
        ),
        "Hub": "reachable" if _hub() else "not reachable: name local folders",
        "cache": f"{cache()}, {_size() / 1e6:,.0f} MB",
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _hub() -> bool:
    from imageless.encoders.base import hub_answers

    return hub_answers()


def _size() -> int:
    return sum(path.stat().st_size for path in cache().rglob("*") if path.is_file())
