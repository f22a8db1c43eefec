"""What every request and every answer has in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from aegis_authz.core.change_line import MOST_NOTE


class Request(BaseModel):
    """What a caller sends. An unknown member is an error: a misspelt option must not be taken for its default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Answer(BaseModel):
    """What the control plane answers. A reader skips members it does not know: they are of a newer control plane."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("one_line", "must be printable characters on one line")
    return text


Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_one_line)]
"""Who asks, or what is asked for."""

Note = Annotated[str, Field(max_length=MOST_NOTE), AfterValidator(_one_line)]
"""Why; kept where the change is kept."""
