"""Lay out the folder that `imageless reproduce ... --on photos --data FOLDER` reads, from the bundle of real photographs.

    python tests/scripts/lay_out_photos.py BUNDLE FOLDER

FOLDER/flickr8k/    dataset_flickr8k.json and the tars beside it (links)
FOLDER/text/        captions without pictures (links)
FOLDER/lm/          a small causal language model of stories (links)
FOLDER/cifar10/     pictures of ten classes (links)
FOLDER/entailment/  captions of one photo and of two (links)
FOLDER/mobilenetv2/ MobileNetV2 1.0 of ImageNet as a timm folder; its weights come from TensorFlow and need pad_type "same"
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

CONFIG = {
    "architecture": "mobilenetv2_100",
    "num_classes": 1000,
    "model_args": {"pad_type": "same"},
    "pretrained_cfg": {
        "input_size": [3, 224, 224],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "crop_pct": 1.0,  # the photographs are 224 pixels square already
        "num_classes": 1000,
        "classifier": "classifier",
        "first_conv": "conv_stem",
        "pool_size": [7, 7],
    },
}


def main(bundle: Path, folder: Path) -> None:
    (folder / "mobilenetv2").mkdir(parents=True, exist_ok=True)
    (folder / "mobilenetv2" / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    link(folder / "mobilenetv2" / "model.safetensors", bundle / "encoders" / "mobilenetv2_100.safetensors")
    link(folder / "flickr8k", bundle / "flickr8k")
    link(folder / "text", bundle / "text")
    link(folder / "lm", bundle / "lm")
    link(folder / "cifar10", bundle / "cifar10")
    link(folder / "entailment", bundle / "entailment")
    print(
        f"{folder} is ready: imageless reproduce captioning --on photos --data {folder} --out tables/captioning-photos"
    )


def link(new: Path, old: Path) -> None:
    if not new.exists():
        new.symlink_to(old.resolve())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
