"""`coin openapi`: the document that describes the API, as it is kept in docs/."""

from pathlib import Path
from typing import Any, Final

import click
import orjson

from cli.database import ROOT
from domain.settings import Settings

COPY: Final = ROOT / "docs" / "openapi.json"
# Nothing is asked of it: the routes are the same whatever the settings.
_NO_DATABASE: Final = Settings(database_url="postgresql://nobody/nothing")


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=COPY,
    help="Where to write it; docs/openapi.json by default.",
)
def openapi(*, output: Path) -> None:
    """Write what /openapi.json answers to a file."""
    output.write_bytes(written(document()))
    click.echo(f"{output} written")


def document() -> dict[str, Any]:
    """Return the document of this code."""
    # Only this command needs the API.
    from api.app import create_app  # noqa: PLC0415
    from api.openapi.document import build  # noqa: PLC0415
    from api.router import Router  # noqa: PLC0415

    router = Router()
    create_app(_NO_DATABASE, router)
    return build(router.resources)


def written(found: dict[str, Any]) -> bytes:
    """Return a document as it is kept: a change of it is a few lines."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(found, option=options)
