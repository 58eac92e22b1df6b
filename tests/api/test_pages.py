"""Pages that show the API: all of them ours, with nothing from anywhere else."""

import re
from hashlib import sha256

import pytest

from api.assets import FOLDER, path_of, sums

PAGES = ["/docs", "/apidocs", "/redoc"]
SHOWN = [name for name in sums() if name.endswith((".css", ".js"))]


@pytest.mark.parametrize("name", sums())
def test_a_file_is_the_one_that_was_taken(name):
    assert sha256((FOLDER / name).read_bytes()).hexdigest() == sums()[name]


def test_no_file_is_there_without_its_sum():
    assert {path.name for path in FOLDER.iterdir()} == {*sums(), "SHA256SUMS"}


@pytest.mark.parametrize("library", ["swagger-ui", "redoc"])
def test_a_library_is_here_with_its_licence(library):
    (licence,) = FOLDER.glob(f"{library}.LICENSE*")

    assert re.search(r"Apache License|MIT License", licence.read_text())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_script_within_it_and_names_no_other_host(stranger, path):
    page = stranger.get(path)

    assert page.headers["Content-Type"].startswith("text/html")
    assert not re.search(r"<script[^>]*>[^<]", page.text)
    assert not re.search(r"\son\w+=|style=|(?:src|href)=\"(?:https?:)?//", page.text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_may_load_from_us_alone(stranger, path):
    policy = dict(
        rule.split(" ", 1)
        for rule in stranger.get(path).headers["Content-Security-Policy"].split("; ")
    )

    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    words = {word for sources in policy.values() for word in sources.split()}
    sums_of_styles = {word for word in words if word.startswith("'sha256-")}
    assert words - sums_of_styles <= {"'none'", "'self'", "data:", "blob:"}
    assert sums_of_styles <= set(policy["style-src"].split())
    assert policy["img-src"] == "'self' data:"
    assert policy.get("worker-src", "blob:") == "blob:"


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_needs_is_there_and_kept_for_good(stranger, path):
    page = stranger.get(path)
    needed = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)

    assert page.headers["Cache-Control"] == "no-cache"
    assert len(needed) == 3
    for one in needed:
        answer = stranger.get(one)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_file_has_its_sum_in_its_address(stranger, name):
    answer = stranger.get(path_of(name))

    assert sha256(answer.content).hexdigest().startswith(path_of(name).split("/")[2])
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/0123456789abcdef/help.css",
        f"/assets/{sums()['help.css']}/help.css",
        "/assets/x/SHA256SUMS",
        f"/assets/{sums()['help.css'][:16]}/redoc.js",
        "/assets/x/..%2Fproblems.toml",
        "/assets/x/%2Fetc%2Fpasswd",
        "/assets//",
    ],
)
def test_nothing_else_is_served(stranger, path):
    assert stranger.get(path).status_code == 404


def test_a_page_is_asked_for_again_and_sent_only_when_it_changed(stranger):
    tag = stranger.get("/docs").headers["ETag"]

    answer = stranger.get("/docs", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content) == (304, b"")
