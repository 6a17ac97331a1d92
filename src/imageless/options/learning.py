"""Options of the verbs that make something: data, vectors, bridges, encoders, runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imageless.options.base import Machine, Source


@dataclass(frozen=True)
class SynthesizeOptions(Source, Machine):
    """How a language model writes captions to train on."""

    split: str = "train"
    """Which split of the examples, where they have splits."""
    count: int = 1000
    """Captions to write; the filters then leave some out. The paper writes 100,000."""
    sampling: Literal["uniform", "unigram"] = "uniform"
    """Draw keywords uniformly, or so that words get as frequent as in the reference."""
    shots: int = 50
    """Examples in a prompt: 50 for GPT-J, 20 for Curie and for the ego-centric style (arXiv:2211.09778, sections 3.3 and 5)."""
    keywords_each: int = 2
    """Keywords asked for in a caption; two in the paper, one for captions about a character."""
    most_keywords: int = 5000
    """Most keywords taken from the examples, the frequent ones first, when no file of keywords is given."""
    tagger: str | None = None
    """spacy:MODEL or nltk finds nouns, verbs and adjectives as keywords; default: all words but function words."""
    instruction: str = "Write one caption for each group of keywords."
    """First line of the prompt."""
    reference: str | None = None
    """Captions whose word frequencies are matched and compared with; default: the examples."""
    temperature: float = 1.0
    """Below 1 likely words get likelier; 1 in generate_stylistic_captioning.py @ 14c4013."""
    top_p: float = 1.0
    """Draw only from the likeliest words that have this probability together; 1 in the same script."""
    longest: int = 64
    """Most tokens of a caption; 64 in the same script."""
    batch_size: int = 16
    """Captions written at once: rows of a batch, or requests under way at an endpoint."""
    least_words: int = 3
    """Leave out captions with fewer words."""
    most_words: int = 40
    """Leave out captions with more words."""
    keywords_needed: int | None = None
    """Leave out captions with fewer of their keywords; default: all are needed."""
    keep_unfinished: bool = False
    """Keep captions that were cut off at `longest` tokens."""
    repeats: int = 50
    """A phrase of 4 to 9 words that stands this often makes its captions likely to be left out."""
    repeats_scale: int = 800
    """How likely: the phrase's count divided by this. Both suit some 20,000 captions; raise them with `count`."""
    base_url: str | None = None
    """Address of the endpoint for --lm openai:NAME; default: OpenAI's own."""
    api: Literal["chat", "completions"] = "chat"
    """What the endpoint is asked: /chat/completions, or /completions for a model that only goes on with a text."""
    timeout: float = 60.0
    """Seconds to wait for one answer of an endpoint."""
    retries: int = 6
    """How often an endpoint that is busy, broken or silent is asked again."""
    price_per_million_tokens: float | None = None
    """To show what the endpoint's tokens, read and written, cost."""
    resume: bool = False
    """Go on with the unfinished captions of that name."""
    overwrite: bool = False
    """Replace captions of that name once the new ones are complete."""


@dataclass(frozen=True)
class EmbedOptions(Source, Machine):
    """How texts or pictures become a vector table."""

    split: str | None = None
    """Which split of the data; default: all of it."""
    batch_size: int = 256
    """Texts or pictures the encoder takes at once."""
    overwrite: bool = False
    """Replace a table of that name once the new one is complete."""


@dataclass(frozen=True)
class AdaptOptions(Source, Machine):
    """How an adapter is fitted."""

    split: str = "train"
    """Which split of the data."""
    ridge: float = 0.0
    """linear: what is added to the diagonal of the mean squares of the sentences, against wild maps from few pairs."""
    stretch: bool = False
    """standardize: also let pictures spread in each dimension as sentences do."""
    nearest: int = 0
    """mean, linear, covariance, gaussian: take pictures and sentences for no pairs, but each picture with this many of the sentences
    nearest to it, e.g. 20."""
    overwrite: bool = False
    """Replace an adapter of that name once the new one is complete."""


@dataclass(frozen=True)
class PretrainOptions(Source, Machine):
    """How a dual encoder is trained on (picture, caption) pairs."""

    split: str = "train"
    """Which split of the data."""
    objective: Literal["captions", "classes", "denoise"] = "captions"
    """What is learned: to find a picture's caption (CLIP); its `label` or `labels`; or to paint it when most of it is hidden. The
    last two make encoders that only see pictures."""
    image_encoder: str = "world"
    """`world` (a small residual network, from scratch), `timm:NAME_OR_FOLDER`, or `scratch:NAME`, timm's without its weights."""
    image_size: int | None = None
    """Side of the square that a network from scratch sees, in pixels; default: its own."""
    lock_image: bool = False
    """Keep the image network as it is and learn only a head on it and the text tower (LiT)."""
    stream: bool = False
    """Decode pictures anew in each step instead of keeping them decoded: for more pictures than fit on the disk that way."""
    dim: int = 256
    """Dimensions of the shared space."""
    hidden: int = 0
    """Width of a hidden layer in the head on a timm network; 0 is one linear map."""
    text_width: int = 160
    """Width of the text tower."""
    text_layers: int = 3
    """Layers of the text tower; with 0 a sentence is the mean of its words: best where pairs are few."""
    vocabulary: int = 8192
    """Most pieces of the text tower's vocabulary, which is made from the captions."""
    loss: Literal["softmax", "sigmoid"] = "softmax"
    """Find each other among the whole batch (CLIP), or tell of every picture and caption whether they belong together (SigLIP)."""
    temperature: float | None = None
    """Starting temperature; it is learned, and the start decides how wide the modality gap is; default: 0.01, sigmoid 0.1."""
    steps: int = 5000
    """Optimisation steps."""
    batch_size: int = 512
    """Pairs in a batch."""
    accumulate: int = 1
    """Pieces a batch is cut into, one after the other, to save memory; the gradient is that of the whole batch."""
    captions: int = 1
    """Captions of each picture in a step; each set is told apart on its own, and the picture is encoded once."""
    learning_rate: float = 1e-3
    """Peak learning rate."""
    warmup: int = 200
    """Steps of linear warm-up."""
    weight_decay: float = 0.05
    """AdamW's weight decay."""
    clip: float | None = 1.0
    """Largest gradient norm."""
    word_least: int = 1
    """For noisy text: a caption needs a word that is said this often in all captions; 100 in CLIP (arXiv:2103.00020)."""
    word_most: int | None = None
    """For noisy text: captions kept for a word before further ones must bring another; 20,000 in CLIP."""
    word_dropout: float = 0.0
    """Share of words left out of each caption while training."""
    crop: float = 1.0
    """Least share of a picture's area that is seen of it while training, a part drawn anew each time; 1: all of it."""
    feature_dropout: float = 0.0
    """Share of a locked image network's features left out of each picture while training."""
    validate_every: int | None = 1000
    """Steps between measurements of retrieval on the validation split."""
    classes: str | None = None
    """Labelled pictures (READER:PATH) whose classes are named at each of these measurements: a zero-shot curve."""
    save_every: int = 500
    """Steps between checkpoints."""
    resume: bool = False
    """Go on with the unfinished work of that name."""
    overwrite: bool = False
    """Replace an encoder of that name once the new one is complete."""


@dataclass(frozen=True)
class TrainOptions(Source, Machine):
    """How a model learns to read vectors."""

    model: Literal["close", "limber"] = "close"
    """A T5 that learns to read vectors (close), or one linear map into a causal language model that stays as it is (limber)."""
    split: str = "train"
    """Which split of the data."""
    prompt: str | None = None
    """What the model is asked, {} standing for the task's own words; default: those alone, and for limber "A picture of" or
    "Q: {} A:"."""
    setting: Literal["single", "multiple"] | None = None
    """Captioning: a caption is its own target, or the other captions of its scene are; default: multiple where there are several,
    single with --unpaired."""
    noise: float | Literal["auto"] | None = None
    """w, the standard deviation of the noise in each dimension, or auto: chosen from the text; default: the value kept with
    the encoder, or none with --unpaired."""
    unpaired: str | None = None
    """Pictures without captions (images:FOLDER), of the kind the run will be shown: from them and the sentences nearest to
    them the model learns how pictures lie beside sentences, which takes the place of noise."""
    adapter: tuple[str, ...] = ()
    """What else brings sentences nearer to pictures, before the noise: a folder made by `imageless adapt`, or random:0.5."""
    on: Literal["text", "images", "nothing"] | None = None
    """Learn from text vectors, from image vectors as the upper bound does, or, as the blind control, from no vector at all;
    default: text, and images for limber."""
    vectors: str | None = None
    """A vector table made by `imageless embed`; default: made as needed and kept in the cache."""
    steps: int | None = None
    """Optimisation steps; default: as many as `epochs` give, and 3,000 for a language model from scratch (task language: 8,000;
    limber: 15,000)."""
    epochs: float | None = None
    """Passes over the data; default: 8, as in the released code (close/experiments/train.py @ 80f8db0); task language: 3."""
    epoch_share: float | None = None
    """Share of the data that counts as one pass; default: the task's (0.15 for news, else all)."""
    epoch_most: int | None = None
    """Most examples that count as one pass; 200,000 in the released code (close/experiments/train.py @ 80f8db0)."""
    batch_size: int | None = None
    """Examples in a batch; default: the task's."""
    learning_rate: float | None = None
    """Peak learning rate; default: 3e-4 for a pretrained language model, the task's from scratch; limber: 8e-4; task language:
    5e-5 and 2e-3."""
    warmup: int = 0
    """Steps of linear warm-up; none in the released code."""
    weight_decay: float = 0.0
    """AdamW's weight decay; none in the released code."""
    clip: float | None = 1.0
    """Largest gradient norm."""
    accumulate: int = 1
    """Pieces a batch is cut into, one after the other, to save memory."""
    compile: bool = False
    """Let torch.compile fuse the model's arithmetic: a minute's wait, then faster steps. Needs a C++ compiler on the CPU."""
    vocabulary: int = 8192
    """Most pieces of the vocabulary of a language model from scratch; fewer pieces make its steps cheaper."""
    prefix: int = 4
    """Vectors of the language model's width that one image or text vector becomes."""
    stream: bool = False
    """Look at the pictures anew in each step instead of keeping their vectors: for grids too large to be kept (--on images)."""
    tune_encoder: bool = False
    """Let the image network learn along, as in LiMBeR's baselines (--on images); implies --stream."""
    encoder_rate: float = 0.1
    """Share of the learning rate at which a tuned image network learns."""
    bottleneck: int | None = None
    """Layers behind each attention of a frozen language model that learn (limber), narrower than it by this factor; 4 in MAGMA."""
    keep_case: bool = False
    """Leave targets as they are written instead of in lower case."""
    save_every: int = 500
    """Steps between checkpoints."""
    resume: bool = False
    """Go on with the unfinished run of that name."""
    overwrite: bool = False
    """Replace a run of that name once the new one is complete."""
