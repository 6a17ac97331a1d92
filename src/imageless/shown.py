"""Results as people read them, and as JSON holds them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any


def speaks() -> bool:
    """Of several processes that torchrun started only the first says anything."""
    return os.environ.get("RANK", "0") == "0"


def told(result: Any, as_json: bool, describe: Callable[[dict[str, Any]], str]) -> str:
    """A verb's one result: for people as `describe` puts it, or as one JSON object."""
    values: Any = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
    return json.dumps(values, default=str, ensure_ascii=False) if as_json else describe(values)


def present(result: Any) -> dict[str, Any]:
    """A result as JSON shows it: with "error" and "probabilities" only where there are any."""
    optional = ("error", "probabilities")
    return {name: value for name, value in asdict(result).items() if name not in optional or value is not None}


def line(result: dict[str, Any], named: bool) -> str:
    """What is said of a picture, with its name where there are several."""
    said = f"({result['error']})" if "error" in result else result["text"]
    return f"{result['image']}\t{said}" if named else said


def trained(result: dict[str, Any]) -> str:
    """One line: where, how long, and the last figures."""
    figures = ", ".join(f"{name} {value:.3f}" for name, value in result["final"].items())
    return f"{result['out']}: {result['steps']:,} steps in {result['seconds']:,.0f} s, {figures}"


def adapted(result: dict[str, Any]) -> str:
    """What was fitted, and what became of the gap."""
    pairs = "" if result["pairs"] is None else f" on {result['pairs']:,} pairs"
    before, after = result["gap"].get("before", {}), result["gap"].get("after", {})
    lines = [f"{name.replace('_', ' ')}: {before[name]:.3f} -> {after[name]:.3f}" for name in before]
    return "\n".join([f"{result['out']}: {result['kind']}{pairs} in {result['seconds']:,.0f} s", *lines])


def gap(result: dict[str, Any]) -> str:
    """One figure a line, and where to look."""
    lines = [f"{name:<18} {value:.4f}" for name, value in result.items() if name not in ("out", "seconds", "n")]
    told = f"{result['n']:,} pairs in {result['seconds']:,.0f} s; look at {result['out'] / 'report.html'}"
    return "\n".join([*lines, told])


def contrast(result: dict[str, Any]) -> str:
    """A line for each change, and what a captioner made of it."""
    lines = [
        f"another {change}: shifts are alike by " + ", ".join(f"{side} {value:.3f}" for side, value in sides.items())
        for change, sides in result["consistency"].items()
    ]
    if result["told"]:
        lines.append("the right caption first: " + ", ".join(f"{name} {s:.1%}" for name, s in result["told"].items()))
    told = f"{result['n']:,} quartets in {result['seconds']:,.0f} s; look at {result['out'] / 'report.html'}"
    return "\n".join([*lines, told])


def synthesized(result: dict[str, Any]) -> str:
    """How much was kept, at which pace, and what the writer says too often."""
    left_out = "".join(f", {count:,} {reason}" for reason, count in result["left_out"].items())
    lines = [f"{result['out']}: {result['kept']:,} of {result['written']:,} captions kept{left_out}"]
    cost = "" if result["cost"] is None else f", cost {result['cost']:.2f}"
    lines += [f"{result['seconds']:,.0f} s, {result['per_second']:,.1f} captions/s, {result['tokens']:,} tokens{cost}"]
    if result["style"]:
        lines += ["", f"{'far more often than the reference':<34} {'written':>8} {'reference':>10}"]
    lines += [f"{w['word']:<24} {w['times']:>8.1f}x {w['written']:>8,} {w['reference']:>10,}" for w in result["style"]]
    return "\n".join(lines)


def scored(result: dict[str, Any]) -> str:
    """One score a line."""
    return "\n".join(
        [f"n        {result['n']:,}", *(f"{name:<8} {value:.4f}" for name, value in result["scores"].items())]
    )


def exported(result: dict[str, Any]) -> str:
    """Where it lies, and how far it is from what it was made of."""
    told = f"at most {result['difference']:.0e} from PyTorch, as a share of the largest number"
    return f"{result['out']}: {', '.join(result['files'])} in {result['seconds']:,.0f} s; {told}"


def pushed(result: dict[str, Any]) -> str:
    """Where a run lies now, and how to use it from anywhere."""
    return f"{result['url']}: {len(result['files'])} files; use it with: imageless VERB {result['repo']} PICTURE"


def benched(result: dict[str, Any]) -> str:
    """A line a figure, beneath where it was measured."""
    machine = result["machine"]
    lines = [f"{machine['processor']}, {machine['cores']} cores, {machine['device']}"]
    for row in result["figures"]:
        beside = "" if row["baseline"] is None else f" (baseline {row['baseline']:,.1f}): {row['ratio']:.1f}x"
        goal = [f"goal {row['goal']}"] if row["goal"] else []
        agreement = [f"{name} {value:.2g}" for name, value in row["agreement"].items()]
        lines.append("; ".join([f"{row['figure']:<28} {row['ours']:,.2f} {row['unit']}{beside}", *goal, *agreement]))
    return "\n".join(lines)


def checked(result: dict[str, Any]) -> str:
    """One screen, a thing a line."""
    processor, cache = result["processor"], result["cache"]
    there = processor["instructions"]
    can = [name if is_there else f"no {name}" for name, is_there in there.items()]
    lines = {
        "imageless": f"{result['imageless']}, Python {result['python']}, {result['system']}",
        "libraries": ", ".join(_installed(*library) for library in result["libraries"].items()),
        "devices": ", ".join(_device(**device) for device in result["devices"]),
        "cores": f"{processor['cores']}; torch uses {processor['threads']}, with kernels for {processor['torch_uses']}",
        "instructions": ", ".join(can) or "not told by this system",
        "matrix product": ", ".join(f"{name} {speed:,.0f} GFLOP/s" for name, speed in result["gflops"].items()),
        "Hub": "reachable" if result["hub"] else "not reachable: name local folders",
        "cache": f"{cache['folder']}, {size(cache['bytes'])}; imageless list --clean empties it",
        "Java": result["java"] or "none; evaluate --meteor needs it",
        "WordNet": "here" if result["wordnet"] else "none; evaluate --concepts and --names need it",
    }
    for extra, packages in result["extras"].items():
        missing = "" if all(packages.values()) else f"; pip install 'imageless[{extra}]'"
        lines[f"extra {extra}"] = ", ".join(_installed(*package) for package in packages.items()) + missing
    return "\n".join(f"{name:<14} {told}" for name, told in lines.items())


def _installed(name: str, version: str | None) -> str:
    return f"{name} {version or 'missing'}"


def _device(device: str, name: str, bytes: int | None) -> str:
    return f"{device} ({name})" if bytes is None else f"{device} ({name}, {size(bytes)})"


def listed(result: dict[str, Any]) -> str:
    """A line for each thing."""
    if not result["things"]:
        return "nothing here that imageless made"
    wide = max(len(thing["path"]) for thing in result["things"])
    return "\n".join(
        f"{thing['kind']:<14} {thing['path']:<{wide}} {size(thing['bytes']):>10} {thing['date']} {thing['what']}"
        for thing in result["things"]
    )


def cleaned(result: dict[str, Any]) -> str:
    """What is gone, and what is in use."""
    left = f"; {result['left']} left, being written" if result["left"] else ""
    return f"{result['cache']}: {size(result['freed'])} freed{left}"


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} B"


def one_line(text: str) -> str:
    """A message without line breaks."""
    return " ".join(text.split())
