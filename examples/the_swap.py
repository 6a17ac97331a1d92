"""The whole idea by hand: one model, asked from a sentence's vector and from a picture's.

It learns from vectors of sentences with a little noise. Then a picture's vector goes where a sentence's went.
"""

import tempfile
from pathlib import Path

import torch

from imageless import load_encoder, pictures, read, train
from imageless.options import PredictOptions, TrainOptions
from imageless.stages.predict import Predictor

folder = Path(tempfile.mkdtemp())
options = TrainOptions(setting="single", noise=0.04, steps=300, batch_size=48, limit=6_000)
train("captioning", ["world"], folder / "run", "world", "world", options)

encoder = load_encoder("world")
predictor = Predictor(folder / "run", PredictOptions(), encoder)
for record in read("world", "test", limit=3):
    assert record.image is not None
    picture = encoder.images(encoder.preprocess(pictures.load(record.image))[None])
    vectors = torch.cat([encoder.texts([record.captions[0]]), picture])
    vectors = torch.nn.functional.normalize(vectors, dim=-1)  # (2, 256): the sentence's and the picture's
    (said,), (seen,) = predictor.vectors(vectors, ["", ""])
    print(f"cosine {float(vectors[0] @ vectors[1]):.2f}  sentence: {record.captions[0]}")
    print(f"             from its vector: {said.text}\n             from the picture: {seen.text}")
