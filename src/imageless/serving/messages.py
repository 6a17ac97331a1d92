"""What is asked and answered over HTTP, typed: also the schema that /openapi.json shows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class Seen(BaseModel):
    """A picture, or a sentence in its place: exactly one of them."""

    model_config = ConfigDict(extra="forbid")

    image: Annotated[Base64Bytes | None, Field(description="A picture file (JPEG, PNG, WebP ...) in base64")] = None
    text: Annotated[Words | None, Field(description="A sentence whose vector goes where a picture's would")] = None
    n_best: Annotated[int, Field(ge=1, le=20, description="How many answers to give")] = 1

    @model_validator(mode="after")
    def _one_of_them(self) -> Seen:
        if (self.image is None) == (self.text is None):
            raise ValueError("expected an image or a text, exactly one of them")
        return self


class ToCaption(Seen):
    style: Annotated[Words | None, Field(description="The voice, where the run knows several")] = None


class ToAsk(Seen):
    question: Words


class ToEntail(Seen):
    hypothesis: Words


class ToNews(Seen):
    article: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50_000)]


class ToClassify(Seen):
    labels: Annotated[list[Annotated[Words, Field(max_length=100)]], Field(min_length=2, max_length=1_000)]


class Candidate(BaseModel):
    text: str
    score: Annotated[float, Field(description="Log probability; of classes, the probability")]


class Answered(BaseModel):
    """What the model says."""

    text: str
    score: float
    nbest: list[Candidate]
    probabilities: dict[str, float] | None = None
    label: str | None = None
    place: Annotated[
        tuple[float, float] | None, Field(description="On the page's map: across the gap and along it")
    ] = None
    milliseconds: float


class Refused(BaseModel):
    """Why there is no answer: what was expected, what came, what to do."""

    error: str


class Run(BaseModel):
    verb: str
    task: str
    name: str
    voices: list[str]


class Health(BaseModel):
    status: str
    version: str
    encoder: str
    reads_sentences: bool
    runs: list[Run]


class Pictured(BaseModel):
    small: str
    large: str
    caption: str | None = None


class Offered(BaseModel):
    """What the page starts with."""

    pictures: list[Pictured]
    map: dict[str, list[tuple[float, float]]]
