"""`coin openapi`: the document of this code, in a file."""

import json

from cli.openapi import document


def test_the_document_is_written(coin, tmp_path):
    file = tmp_path / "openapi.json"

    result = coin("openapi", "--output", file)

    assert (result.exit_code, result.output) == (0, f"{file} written\n")
    assert json.loads(file.read_text()) == document()
    assert file.read_text().startswith('{\n  "')


def test_by_default_it_is_written_into_docs(coin):
    result = coin("openapi", "--help")

    assert "docs/openapi.json by default" in " ".join(result.output.split())
