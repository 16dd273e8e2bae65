"""Hugging Face's tokenizers: the same ids and offsets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from spanforge import _spanforge, _values
from spanforge._errors import UsageError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


class Encoding:
    """One encoded text or pair. n: its tokens. The arrays are views of the encoding's own memory and cannot be written;
    they need NumPy."""

    def __init__(self, encoding: _spanforge.Encoding) -> None:
        self._encoding = encoding

    def __len__(self) -> int:
        return len(self._encoding)

    @property
    def ids(self) -> NDArray[numpy.int32]:
        """[n] token ids."""
        return self._encoding.ids()

    @property
    def type_ids(self) -> NDArray[numpy.int32]:
        """[n] 0 for the first text, 1 for the second."""
        return self._encoding.type_ids()

    @property
    def offsets(self) -> NDArray[numpy.int32]:
        """[n, 2] start and end of each token, code points of its text, half open; 0, 0 for special tokens."""
        return self._encoding.offsets()

    @property
    def attention_mask(self) -> NDArray[numpy.uint8]:
        """[n] 0 for padding, else 1."""
        return self._encoding.attention_mask()

    @property
    def special_tokens_mask(self) -> NDArray[numpy.uint8]:
        """[n] 1 for special tokens and padding, else 0."""
        return self._encoding.special_tokens_mask()

    @property
    def word_ids(self) -> NDArray[numpy.int32]:
        """[n] index of the token's word in its text; -1 for special tokens."""
        return self._encoding.word_ids()

    @property
    def sequence_ids(self) -> NDArray[numpy.int32]:
        """[n] 0 or 1, the token's text; -1 for special tokens."""
        return self._encoding.sequence_ids()

    @property
    def tokens(self) -> list[str]:
        """n tokens."""
        return self._encoding.tokens()

    @property
    def overflowing(self) -> list[Encoding]:
        """What truncation removed, as further windows."""
        return [Encoding(one) for one in self._encoding.overflowing()]

    def __repr__(self) -> str:
        return f"Encoding({len(self)} tokens)"


class Tokenizer:
    """The tokenizer of a model: a directory or a hub id. Raises Error for files that are no tokenizer.

    May be used by several threads at the same time.

    >>> Tokenizer("run/trained").encode("Where is Anna?").tokens
    ['[CLS]', 'where', 'is', 'anna', '?', '[SEP]']
    """

    def __init__(self, model: str | PathLike[str]) -> None:
        self._model = _values.model_name(model)
        self._tokenizer = _spanforge.Tokenizer.load(self._model)

    def __reduce__(self) -> tuple[object, ...]:
        """For other processes: it is loaded again there."""
        return Tokenizer, (self._model,)

    def encode(
        self,
        text: str,
        pair: str | None = None,
        *,
        add_special_tokens: bool = True,
        truncation: bool | str = False,
        max_length: int | None = None,
        stride: int = 0,
        padding: bool | str = False,
        pad_to_multiple_of: int = 0,
        padding_side: str = "right",
    ) -> Encoding:
        """Encodes a text, or a pair of texts.

        truncation: False, True ("longest_first"), "longest_first", "only_first" or "only_second".
        max_length: tokens after truncation or padding, special ones included; default: model_max_length.
        stride: tokens that the windows in `overflowing` share with their neighbours.
        padding: False, True ("longest" of the batch) or "max_length".

        What tokenizer.json stores about truncation and padding is not applied. Raises UsageError for a truncation that
        is not possible, UnicodeEncodeError for a text with a lone surrogate.
        """
        return self.encode_batch(
            [text],
            None if pair is None else [pair],
            add_special_tokens=add_special_tokens,
            truncation=truncation,
            max_length=max_length,
            stride=stride,
            padding=padding,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=padding_side,
            threads=1,
        )[0]

    def encode_batch(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        *,
        add_special_tokens: bool = True,
        truncation: bool | str = False,
        max_length: int | None = None,
        stride: int = 0,
        padding: bool | str = False,
        pad_to_multiple_of: int = 0,
        padding_side: str = "right",
        threads: int = 0,
    ) -> list[Encoding]:
        """Encodes many texts on `threads` threads (0: the cores this process may use); else as encode().

        pairs: as many second texts as there are texts.
        """
        if isinstance(texts, str) or isinstance(pairs, str):
            parameter = "texts" if isinstance(texts, str) else "pairs"
            raise UsageError("usage", "must be a list of texts", parameter=parameter)
        if pairs is not None and len(pairs) != len(texts):
            raise UsageError("usage", f"has {len(pairs)} texts, texts {len(texts)}", parameter="pairs")
        if padding_side not in ("left", "right"):
            raise UsageError("usage", f"'{padding_side}' is not one of left, right", parameter="padding_side")
        strategy = truncation if isinstance(truncation, str) else "longest_first" if truncation else ""
        if padding not in (False, True, "longest", "max_length", "do_not_pad"):
            raise UsageError("usage", f"'{padding}' is not one of longest, max_length", parameter="padding")
        stated = max_length if max_length is not None else self.model_max_length
        if (strategy or padding == "max_length") and stated is None:
            raise UsageError("usage", "is needed: the tokenizer states no maximum", parameter="max_length")
        length = stated or 0
        pad = -1 if padding in (False, "do_not_pad") else length if padding == "max_length" else 0
        encodings = self._tokenizer.encode(
            list(texts),
            list(pairs or []),
            add_special_tokens,
            strategy,
            length,
            stride,
            pad,
            pad_to_multiple_of,
            padding_side == "left",
            threads,
        )
        return [Encoding(encoding) for encoding in encodings]

    def decode(
        self,
        ids: Iterable[int],
        *,
        skip_special_tokens: bool = True,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> str:
        """The text of token ids. clean_up_tokenization_spaces: None: as tokenizer_config.json says."""
        return self._tokenizer.decode([int(one) for one in ids], skip_special_tokens, clean_up_tokenization_spaces)

    @property
    def vocab_size(self) -> int:
        """Highest id + 1, including added tokens."""
        return self._tokenizer.vocabulary_size()

    @property
    def model_max_length(self) -> int | None:
        """tokenizer_config.json's, if it is usable; tokens."""
        return self._tokenizer.model_max_length()

    @property
    def special_ids(self) -> dict[str, int]:
        """The ids of those special tokens that it has: bos, eos, unk, sep, pad, cls, mask."""
        return self._tokenizer.special_ids()

    def token_to_id(self, token: str) -> int | None:
        return self._tokenizer.token_to_id(token)

    def id_to_token(self, id: int) -> str | None:
        return self._tokenizer.id_to_token(id) or None
