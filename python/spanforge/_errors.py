"""The exceptions of spanforge."""

from __future__ import annotations


class Error(Exception):
    """What went wrong, as fields. A program decides by them and never parses the text.

    code: the kind of error: "usage", "bad data", "bad model", "not finite", "network", "cache miss",
        "input/output", "interrupted", "internal".
    file: the file, directory, URL or hub id that is wrong, as the caller named it; "" if there is none.
    where: the position in the file ("line 3 column 5", "data[2].paragraphs[0]") or another place
        ("question 2", "step 40"); "" if there is none.
    parameter: the parameter that is wrong ("max_seq_length"); "" if there is none.
    reason: the problem and, if there is one, the remedy.
    """

    code: str
    file: str
    where: str
    parameter: str
    reason: str

    def __init__(
        self,
        code: str,
        reason: str,
        *,
        file: str = "",
        where: str = "",
        parameter: str = "",
        text: str | None = None,
    ) -> None:
        if text is None:
            places = [place for place in ((file, where, parameter) if file else (parameter, where)) if place]
            text = ": ".join([*places, reason])
        super().__init__(text)
        self.code = code
        self.file = file
        self.where = where
        self.parameter = parameter
        self.reason = reason

    def __reduce__(self) -> tuple[object, ...]:  # for multiprocessing
        return _restore, (type(self), self.code, self.file, self.where, self.parameter, self.reason, str(self))


class UsageError(Error, ValueError):
    """An argument is wrong. Also a ValueError, which Transformers' pipeline raises in its place."""


def _restore(
    kind: type[Error], code: str, file: str, where: str, parameter: str, reason: str, text: str
) -> Error:
    return kind(code, reason, file=file, where=where, parameter=parameter, text=text)


def make(code: str, file: str, where: str, parameter: str, reason: str, text: str) -> Error:
    kind = UsageError if code == "usage" else Error
    return _restore(kind, code, file, where, parameter, reason, text)
