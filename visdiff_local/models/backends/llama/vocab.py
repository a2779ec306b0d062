"""A GGUF's own vocabulary: text to tokens and back, special tokens, the chat template."""

import ctypes
from collections.abc import Sequence
from typing import Any

from visdiff_local.errors import UsageError


class Vocabulary:
    """Belongs to an open model and ends with it.

    Args:
        library: the ``llama_cpp`` module.
        model: a ``llama_model_p``.
    """

    def __init__(self, library: Any, model: Any) -> None:
        self._library = library
        self._model = model
        self.handle: Any = library.llama_model_get_vocab(model)
        self.size = int(library.llama_vocab_n_tokens(self.handle))

    def tokenize(self, text: str, *, start: bool = False, special: bool = False) -> list[int]:
        """Token ids.

        Args:
            start: with the model's begin-of-text token, where it wants one; never with its end.
            special: read ``<|…|>`` and the like as special tokens.
        """
        raw = text.encode()
        room = len(raw) + 8
        ids = (ctypes.c_int32 * room)()
        count = self._library.llama_tokenize(self.handle, raw, len(raw), ids, room, start, special)
        if count < 0:
            raise UsageError(f"llama.cpp cannot tokenize a prompt of {len(raw)} bytes")
        found = list(ids[:count])
        if start and found and self._library.llama_vocab_get_add_eos(self.handle):
            found.pop()
        return found

    def text(self, ids: Sequence[int], *, special: bool = False) -> str:
        """The text of token ids; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self.piece(token, special) for token in ids).decode("utf-8", "replace")

    def piece(self, token: int, special: bool = False) -> bytes:
        """A token's own bytes, which need not be whole letters."""
        buffer = ctypes.create_string_buffer(256)
        size = self._library.llama_token_to_piece(self.handle, token, buffer, 256, 0, special)
        return buffer.raw[: max(size, 0)]

    def ends(self, token: int) -> bool:
        """Whether the token ends a reply."""
        return bool(self._library.llama_vocab_is_eog(self.handle, token))

    def special_token(self, name: str) -> str:
        """The text of the ``bos`` or ``eos`` token; empty where the model has none."""
        token = getattr(self._library, f"llama_vocab_{name}")(self.handle)
        return self.text([token], special=True) if token >= 0 else ""

    def special_tokens(self) -> list[str]:
        """The texts of all control tokens, and of others that look like one: llama.cpp takes some
        for user-defined, as it does plain words and runs of spaces, which are left alone."""
        lib = self._library
        marked = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        attributes = (lib.llama_vocab_get_attr(self.handle, token) for token in range(self.size))
        texts = [
            (self.text([token], special=True), attribute)
            for token, attribute in enumerate(attributes)
            if attribute & marked
        ]
        return [
            text
            for text, attribute in texts
            if attribute & lib.LLAMA_TOKEN_ATTR_CONTROL or (text[:1] in "<[" and text[-1:] in ">]")
        ]

    def chat_template(self) -> str:
        """The Jinja2 chat template inside the GGUF; empty where there is none."""
        template = self._library.llama_model_chat_template(self._model, None)
        return template.decode("utf-8") if template else ""
