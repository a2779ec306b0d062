"""Replies in OpenAI's words: whole, or as server-sent events while they grow."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from visdiff_local.errors import VisdiffError
from visdiff_local.models.backends.llama.chat import Generated, TokenChances
from visdiff_local.serve.guard import error_body
from visdiff_local.serve.messages import ChatRequest, CompletionRequest, RefusedError

AnyRequest = ChatRequest | CompletionRequest


def chat(asked: ChatRequest, said: Generated) -> Response:
    """The reply to a chat."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said.text},
        "finish_reason": _why(said),
        "logprobs": _of_chat(said.tokens, asked.top_logprobs or 0) if asked.logprobs else None,
    }
    return JSONResponse({**_head(asked), "choices": [choice], **_usage([said])})


def completion(asked: CompletionRequest, said: Sequence[Generated]) -> Response:
    """The replies to the prompts, in order."""
    choices = [
        {
            "index": index,
            "text": one.text,
            "finish_reason": _why(one),
            "logprobs": None if asked.logprobs is None else _of_text(one.tokens, asked.logprobs),
        }
        for index, one in enumerate(said)
    ]
    return JSONResponse({**_head(asked), "choices": choices, **_usage(said)})


async def streamed(asked: AnyRequest, texts: AsyncIterator[str | Generated]) -> Response:
    """A reply as it grows; an error before its first word is an error of the whole request.

    Raises:
        RefusedError: log-probabilities are asked for too.
    """
    if asked.wish.likeliest:
        raise RefusedError("logprobs: of a whole reply only, leave stream out")
    first = await anext(texts)
    return StreamingResponse(_events(asked, first, texts), media_type="text/event-stream")


async def _events(
    asked: AnyRequest, first: str | Generated, texts: AsyncIterator[str | Generated]
) -> AsyncIterator[str]:
    head = _head(asked, stream=True)
    if isinstance(asked, ChatRequest):
        yield _event({**head, "choices": [_piece(asked, {"role": "assistant", "content": ""})]})
    sent = ""
    try:
        async for text in _and_then(first, texts):
            whole = text if isinstance(text, str) else text.text
            new, sent = whole[len(sent) :], whole
            if new:
                yield _event({**head, "choices": [_piece(asked, {"content": new})]})
            if isinstance(text, Generated):
                yield _event({**head, "choices": [_piece(asked, {}, _why(text))]})
                if asked.counts_wanted:
                    yield _event({**head, "choices": [], **_usage([text])})
    except VisdiffError as error:
        yield _event(error_body(str(error), 500))
    yield "data: [DONE]\n\n"


async def _and_then(
    first: str | Generated, rest: AsyncIterator[str | Generated]
) -> AsyncIterator[str | Generated]:
    yield first
    async for one in rest:
        yield one


def _piece(asked: AnyRequest, delta: dict[str, str], why: str | None = None) -> dict[str, Any]:
    said = (
        {"delta": delta} if isinstance(asked, ChatRequest) else {"text": delta.get("content", "")}
    )
    return {"index": 0, **said, "finish_reason": why, "logprobs": None}


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"


def _head(asked: AnyRequest, *, stream: bool = False) -> dict[str, Any]:
    kind = "text_completion"
    if isinstance(asked, ChatRequest):
        kind = "chat.completion.chunk" if stream else "chat.completion"
    identity = f"{kind}-{uuid.uuid4().hex}"
    return {"id": identity, "object": kind, "created": int(time.time()), "model": asked.model}


def _why(said: Generated) -> str:
    return "stop" if said.ended else "length"


def _usage(said: Sequence[Generated]) -> dict[str, Any]:
    """Token counts, where the model counts; else nothing, rather than a zero."""
    prompts = [one.prompt_tokens for one in said if one.prompt_tokens is not None]
    replies = [one.reply_tokens for one in said if one.reply_tokens is not None]
    if len(prompts) < len(said) or len(replies) < len(said):
        return {}
    counts = {"prompt_tokens": sum(prompts), "completion_tokens": sum(replies)}
    return {"usage": {**counts, "total_tokens": sum(prompts) + sum(replies)}}


def _of_chat(tokens: Sequence[TokenChances], count: int) -> dict[str, Any]:
    def described(text: str, logprob: float) -> dict[str, Any]:
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    listed = [
        {
            **described(token.text, token.logprob),
            "top_logprobs": [described(*other) for other in token.likeliest[:count]],
        }
        for token in tokens
    ]
    return {"content": listed, "refusal": None}


def _of_text(tokens: Sequence[TokenChances], count: int) -> dict[str, Any]:
    offsets, place = [], 0
    for token in tokens:
        offsets.append(place)
        place += len(token.text)
    # Of two tokens with one text the likelier is listed, which comes first.
    tops = [dict(reversed(token.likeliest[:count])) for token in tokens]
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": tops,
        "text_offset": offsets,
    }
