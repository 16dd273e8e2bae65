from typing import TypedDict


class TrainingArguments(TypedDict, total=False):
    model: str
