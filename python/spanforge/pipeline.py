"""Answers questions, with the arguments and answers of the question-answering pipeline of Transformers 4.57."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from typing import Any, TypedDict

from spanforge import _spanforge, _values
from spanforge._errors import UsageError

# Questions that are computed together. Ctrl-C is seen between two such blocks.
_BLOCK = 1024
# Arguments of Transformers' pipeline that change nothing in its answers here: padding and batches only save time
# there, and a fast tokenizer ignores max_question_len there, too.
_WITHOUT_EFFECT = ("padding", "num_workers", "max_question_len")


class Answer(TypedDict):
    """score: probability, 0 to 1. start, end: code points of the context, half open. answer: context[start:end];
    "" with 0 and 0 for no answer."""

    score: float
    start: int
    end: int
    answer: str


class Pipeline:
    """Answers questions about contexts.

    model: a directory, an adapter's directory, or a hub id (org/name[@revision]), which is downloaded.
    decoder: how logits become answers. None: as the model was trained, as `spanforge ask` does. "pipeline": spans and
        scores of the question-answering pipeline of Transformers 4.57. Others: "spanforge", "run_qa", "recipe".
    bf16: True, False or "auto": compute in bfloat16.
    threads: threads to compute with; 0: the cores this process may use.
    verify: compare the model's files with the SHA-256 sums of its manifest first.
    defaults: arguments of each call, such as top_k=3.

    One pipeline may be used by several threads at the same time; another process that gets it loads the model again.
    Raises Error for a model that cannot be loaded,
    UsageError for an argument that is wrong.

    >>> pipe = Pipeline("run/trained")
    >>> pipe(question="Where is Anna?", context="Anna sat in the market.")
    {'score': 0.98, 'start': 9, 'end': 22, 'answer': 'in the market'}
    """

    def __init__(
        self,
        model: str | PathLike[str],
        *,
        decoder: str | None = None,
        bf16: bool | str = False,
        threads: int = 0,
        verify: bool = False,
        **defaults: Any,
    ) -> None:
        self._defaults = _call_options({"decoder": decoder, **defaults})
        _spanforge.check_ask_options(dict(self._defaults.values()))
        load = _values.texts({"bf16": bf16, "threads": threads, "verify": verify})
        self._pipeline = _spanforge.Pipeline.load(_values.model_name(model), load)
        named = {"decoder": decoder, "bf16": bf16, "threads": threads, "verify": verify, **defaults}
        self._made_of = (_values.model_name(model), named)

    def __reduce__(self) -> tuple[object, ...]:
        """For other processes: the model is loaded again there."""
        return _make, self._made_of

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answers one question or many.

        question, context: two texts; or a list of questions with one context, or with as many contexts.
        Or instead: a mapping with these two keys, a list of them, or a generator of them, which gives an iterator of
        answers. Two texts without names are question and context.

        top_k: answers per question, best first (default 1).
        doc_stride: tokens that consecutive windows share (default: half a window, at most 128).
        max_answer_len: tokens of the longest answer (default: stored with the model, else the decoder's; "pipeline":
            15).
        max_seq_len: tokens of a window (default: what the model allows, at most 384).
        max_question_len: for compatibility; as with Transformers' fast tokenizers it changes nothing.
        handle_impossible_answer: whether "" may be the answer (default: as the model was trained; "pipeline": False).
        align_to_words: decoder "pipeline": answers are whole words (default True).
        decoder: as above, for this call.
        batch_size: windows computed at once (default 16).

        Returns an Answer, or for top_k above 1 the list of them, as Transformers does (one candidate alone is not in a
        list). For several questions: the list of these. Raises UsageError, which is a ValueError, for an argument that
        is wrong and for an empty question or context.
        """
        inputs, options = _split(args, kwargs)
        texts = dict({**self._defaults, **_call_options(options)}.values())
        _spanforge.check_ask_options(texts)
        if isinstance(inputs, types.GeneratorType):
            return self._stream(inputs, texts)
        pairs = [_pair(item) for item in inputs]
        results: list[Answer | list[Answer]] = []
        for first in range(0, len(pairs), _BLOCK):
            results += self._answer(pairs[first : first + _BLOCK], texts)
        return results[0] if len(results) == 1 else results

    def _answer(self, pairs: list[tuple[str, str]], texts: dict[str, list[str]]) -> list[Answer | list[Answer]]:
        answers = self._pipeline.answer([pair[0] for pair in pairs], [pair[1] for pair in pairs], texts)
        return [one[0] if len(one) == 1 else one for one in answers]

    def _stream(
        self, inputs: Iterable[object], texts: dict[str, list[str]]
    ) -> Iterator[Answer | list[Answer]]:
        for item in inputs:
            yield self._answer([_pair(item)], texts)[0]


def _make(model: str, named: dict[str, Any]) -> Pipeline:
    return Pipeline(model, **named)


# Option -> the name that the caller gave it, and its texts. So a call replaces a default that has another name, and
# messages have the caller's.
_Options = dict[str, tuple[str, list[str]]]


def _names() -> dict[str, str]:
    """Another name of an option -> the option."""
    found = {}
    for row in _spanforge.ask_options():
        for alias in filter(None, row["aliases"].split(",")):
            found[alias] = row["name"]
    return found


_NAMES = _names()


def _call_options(options: Mapping[str, object]) -> _Options:
    if options.get("top_k") is not None:  # Transformers ignores topk then
        options = {name: value for name, value in options.items() if name != "topk"}
    texts = _values.texts({name: value for name, value in options.items() if name not in _WITHOUT_EFFECT})
    return {_NAMES.get(name, name): (name, values) for name, values in texts.items()}


def _split(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The questions, and the rest of the arguments."""
    rest = dict(kwargs)
    question, context = rest.pop("question", None), rest.pop("context", None)
    named = rest.pop("data", rest.pop("X", None))
    if args:
        if len(args) == 1:
            return _as_list(args[0]), rest
        if len(args) == 2 and all(isinstance(one, str) for one in args):
            return [{"question": args[0], "context": args[1]}], rest
        return list(args), rest
    if named is not None:
        return _as_list(named), rest
    if question is None or context is None:
        missing = "question" if question is None else "context"
        raise UsageError("usage", "is needed", parameter=missing)
    if isinstance(question, str) and isinstance(context, str):
        return [{"question": question, "context": context}], rest
    if isinstance(question, str) or isinstance(question, Mapping) or not isinstance(question, Iterable):
        raise UsageError("usage", "must be a text for one context, or a list", parameter="question")
    questions = list(question)
    if isinstance(context, str):
        return [{"question": one, "context": context} for one in questions], rest
    contexts = list(context)
    if len(questions) != len(contexts):
        reason = f"has {len(questions)} texts, context {len(contexts)}"
        raise UsageError("usage", reason, parameter="question")
    return [{"question": q, "context": c} for q, c in zip(questions, contexts)], rest


def _as_list(inputs: object) -> object:
    if isinstance(inputs, types.GeneratorType):
        return inputs
    if isinstance(inputs, Mapping) or hasattr(inputs, "question_text"):
        return [inputs]
    if isinstance(inputs, Iterable) and not isinstance(inputs, str):
        return list(inputs)
    raise UsageError("usage", "questions are mappings with question and context, or a list of them")


def _pair(item: object) -> tuple[str, str]:
    """Question and context of a mapping, or of Transformers' SquadExample."""
    if hasattr(item, "question_text"):
        item = {"question": item.question_text, "context": getattr(item, "context_text", None)}
    if not isinstance(item, Mapping):
        raise UsageError("usage", f"a question is a mapping with question and context, not a {type(item).__name__}")
    texts = []
    for key in ("question", "context"):
        if key not in item:
            raise UsageError("usage", "is missing in a question", parameter=key)
        text = item[key]
        if not isinstance(text, str):
            raise UsageError("usage", f"is a {type(text).__name__}, must be a text", parameter=key)
        if not text:
            raise UsageError("usage", "is empty", parameter=key)
        texts.append(text)
    return texts[0], texts[1]
