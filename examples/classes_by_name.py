"""Classes by their names alone, and by a line through the vectors of a few examples: no language model is needed."""

from pathlib import Path
from tempfile import mkdtemp

from imageless import evaluate
from imageless.analysis.probe import probe
from imageless.options import EvaluateOptions, ProbeOptions

named = evaluate("world", ["world:classes"], Path(mkdtemp()) / "names", EvaluateOptions(limit=500, templates="plain"))
print(f"by names alone: {named.scores['accuracy']:.1%} of {named.n} pictures")

options = ProbeOptions(limit=2_000, shots="1,4,16", templates="plain")
learned = probe(["world:classes"], "world", None, options)
for name in ("accuracy", "accuracy_1shot", "accuracy_4shot", "accuracy_16shot", "zero_shot"):
    print(f"{name}: {learned.scores[name]:.3f}")
