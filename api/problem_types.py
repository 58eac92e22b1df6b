"""The types of problems, as `problems.toml` explains them: one table for all."""

import tomllib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

_TABLE: Final = Path(__file__).with_name("problems.toml")


class ProblemType(NamedTuple):
    """What a code means, in sentences."""

    code: str
    status: int
    what: str
    why: str
    fix: str

    @property
    def path(self) -> str:
        """Return where it is explained."""
        return f"/problems/{self.code}"

    @property
    def title(self) -> str:
        """Return the title every problem of this type has."""
        return HTTPStatus(self.status).phrase


@cache
def problem_types() -> Mapping[str, ProblemType]:
    """Return every type by its code, in the order of the table."""
    table = tomllib.loads(_TABLE.read_text())
    return {code: ProblemType(code, **said) for code, said in table.items()}
