"""What a client may send, in OpenAI's words; what cannot be honoured is refused, not ignored."""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from visdiff_local.images import Memory, UnreadableImageError, decode
from visdiff_local.models.backends.llama.chat import Turn
from visdiff_local.serve.limits import TooCostlyError, check_grammar, check_schema
from visdiff_local.types import ImageRef

LONGEST_TEXT = 200_000
"""Characters of one prompt, and of all prompts of a request together."""
LONGEST_EMBEDDED = 20_000
"""Characters of a text that is embedded; models read some hundred of them."""
LONGEST_NAME = 200
MOST_INPUTS = 256
"""Prompts or images of one request."""
MOST_LIKELIEST = 20
"""Alternatives that can be listed for a token."""
LLM_TOKENS = 512
"""Most tokens of a chat reply for which the client sets no limit."""
LONGEST_WORDS = 2 << 20
"""Bytes of a request beside its pictures."""
MOST_PROBLEMS = 8
_PICTURE = re.compile(rb'"data:image/[A-Za-z0-9+/=:;,.-]*"')
_DATA_URI = re.compile(r"data:image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class RefusedError(Exception):
    """A request that cannot be answered; told to the client with this HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def letters(self) -> int:
        """Characters of text that a model would have to read."""
        return 0


AnyRequest = TypeVar("AnyRequest", bound=_Request)


class TextPart(_Request):
    type: Literal["text"]
    text: Text


class ImageUrl(_Request):
    url: str
    detail: str = "auto"


class ImagePart(_Request):
    type: Literal["image_url"]
    image_url: ImageUrl


class Message(_Request):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[TextPart | ImagePart], Field(min_length=1, max_length=64)]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> list[str]:
        if isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, ImagePart)]


class StreamOptions(_Request):
    include_usage: bool = False


class _Sampling(_Request):
    """``grammar`` (GBNF) and ``json_schema`` are llama.cpp's additions, as is leaving out
    ``model``."""

    model: str = Field(default="llm", max_length=LONGEST_NAME)
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1, None] = None
    grammar: Text | None = None
    json_schema: dict[str, Any] | None = None
    user: str | None = Field(default=None, max_length=LONGEST_NAME)

    @property
    def counts_wanted(self) -> bool:
        """Whether a stream ends with token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def _constraint(self, schema: dict[str, Any] | None) -> str | None:
        """The grammar, or a JSON schema as text, that the reply must obey."""
        given = [one for one in (self.grammar, self.json_schema, schema) if one is not None]
        if len(given) > 1:
            raise RefusedError("give one of grammar, json_schema and response_format")
        if not given:
            return None
        try:
            if isinstance(given[0], str):
                check_grammar(given[0])
                return given[0]
            check_schema(given[0])
        except TooCostlyError as error:
            raise RefusedError(f"the grammar or schema is refused: {error}") from error
        return json.dumps(given[0], sort_keys=True)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a reply is to be made; requests of equal wishes are computed together."""

    temperature: float
    seed: int
    limit: int
    constraint: str | None
    likeliest: int
    """Alternatives listed for each token; 0: none, and no log-probabilities."""


class ChatRequest(_Sampling):
    """``POST /v1/chat/completions``."""

    messages: list[Message] = Field(min_length=1, max_length=16)
    max_tokens: int | None = Field(default=None, ge=1, le=8192)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=8192)
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_LIKELIEST)

    @property
    def wish(self) -> Wish:
        return Wish(
            self.temperature,
            self.seed,
            self.limit or LLM_TOKENS,
            self._constraint(self.reply_schema),
            max(1, self.top_logprobs or 0) if self.logprobs else 0,
        )

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The texts of the messages; ``developer`` is another name for ``system``."""
        names = {"developer": "system"}
        return tuple(
            Turn(cast(Any, names.get(message.role, message.role)), message.text)
            for message in self.messages
        )

    @property
    def prompt(self) -> str:
        return "\n\n".join(message.text for message in self.messages)

    @property
    def letters(self) -> int:
        return sum(len(message.text) for message in self.messages)

    @property
    def images(self) -> list[str]:
        return [url for message in self.messages for url in message.images]

    @property
    def limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def reply_schema(self) -> dict[str, Any] | None:
        """The JSON schema that the reply must obey."""
        wanted = self.response_format or {"type": "text"}
        if wanted.get("type") == "text":
            return None
        if wanted.get("type") == "json_object":
            return {"type": "object"}
        described = wanted.get("json_schema")
        if not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
            raise RefusedError("response_format: give type json_schema, with json_schema.schema")
        found: dict[str, Any] = described["schema"]
        return found


class CompletionRequest(_Sampling):
    """``POST /v1/completions``."""

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]
    max_tokens: int = Field(default=256, ge=1, le=8192)
    logprobs: int | None = Field(default=None, ge=0, le=MOST_LIKELIEST)

    @property
    def wish(self) -> Wish:
        return Wish(
            self.temperature,
            self.seed,
            self.max_tokens,
            self._constraint(None),
            0 if self.logprobs is None else max(1, self.logprobs),
        )

    @property
    def letters(self) -> int:
        return sum(map(len, self.prompts))

    @property
    def prompts(self) -> list[str]:
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class EmbeddingRequest(_Request):
    """``POST /v1/embeddings``: an input that is a data URI is an image, any other is text."""

    model: str = Field(max_length=LONGEST_NAME)
    input: str | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]
    encoding_format: Literal["float", "base64"] = "float"
    user: str | None = Field(default=None, max_length=LONGEST_NAME)

    @field_validator("input")
    @classmethod
    def _texts_are_short(cls, value: str | list[str]) -> str | list[str]:
        for text in [value] if isinstance(value, str) else value:
            if not is_image(text) and len(text) > LONGEST_EMBEDDED:
                raise ValueError(
                    f"a text that is embedded has up to {LONGEST_EMBEDDED:,} characters"
                )
        return value

    @property
    def letters(self) -> int:
        return sum(len(text) for text in self.inputs if not is_image(text))

    @property
    def inputs(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


def parse(kind: type[AnyRequest], body: bytes) -> AnyRequest:
    """Raises :class:`RefusedError` that says what is wrong with the request."""
    if len(_PICTURE.sub(b"", body) if len(body) > LONGEST_WORDS else body) > LONGEST_WORDS:
        raise RefusedError(f"a request has up to {LONGEST_WORDS >> 20} MiB beside pictures", 413)
    try:
        asked = kind.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[:MOST_PROBLEMS]
        problems = [
            f"{'.'.join(str(part)[:80] for part in item['loc']) or 'body'}: {item['msg']}"
            for item in found
        ]
        raise RefusedError("; ".join(problems)) from error
    if asked.letters > LONGEST_TEXT:
        raise RefusedError(f"a request has up to {LONGEST_TEXT:,} characters of text")
    return asked


def is_image(text: str) -> bool:
    return text.startswith("data:")


def image(uri: str) -> ImageRef:
    """The picture of a data URI; it stays in memory.

    Raises:
        RefusedError: it is no data URI (an address or a path is never followed), or no image.
    """
    found = _DATA_URI.match(uri)
    if found is None:
        raise RefusedError(
            "image_url must be a data URI (data:image/png;base64,…): addresses and paths are "
            "not followed"
        )
    try:
        content = base64.b64decode(uri[found.end() :], validate=True)
    except binascii.Error as error:
        raise RefusedError(f"image_url: not base64 ({error})") from error
    try:
        decode(content)
    except UnreadableImageError as error:
        raise RefusedError(f"image_url: {error}") from error
    return ImageRef(hashlib.sha256(content).hexdigest(), Memory(content))
