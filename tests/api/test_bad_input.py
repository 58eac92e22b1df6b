"""Bad input: each a problem that says what is wrong, and nothing is stored."""

import json
import re

import pytest

from api.permissions import RULES
from tests.api.calling import NDJSON, PROBLEM, operation, pointers, transfer
from tests.factories import make_owner


@pytest.fixture(autouse=True)
def nothing_stored(stored_jobs):
    """Whatever a test here sends, no job comes of it."""
    before = stored_jobs()
    yield
    assert stored_jobs() == before


def with_raw(name, text, **fields):
    """Return a good body but for one field, which is written as it is."""
    body = json.dumps({**operation("a"), **fields, name: "HERE"}, ensure_ascii=False)
    return body.replace('"HERE"', text).encode("utf-8", "surrogatepass")


NOT_JSON = {
    "nothing": b"",
    "spaces": b"   ",
    "an open brace": b"{",
    "a word": b"hello",
    "a form": b"owner_id=a&operation=CREDIT_ADD",
    "xml": b"<a/>",
    "two documents": b"{}{}",
    "a comma too many": b'{"owner_id": "a",}',
    "single quotes": b"{'owner_id': 'a'}",
    "a comment": b"{} // no",
    "NaN": with_raw("amount", "NaN"),
    "Infinity": with_raw("amount", "-Infinity"),
    "hexadecimal": with_raw("amount", "0x10"),
    "a leading zero": with_raw("amount", "010"),
    "a plus sign": with_raw("amount", "+1"),
    "1e400": with_raw("amount", "1e400"),
    "a raw NUL": with_raw("owner_id", '"a\0b"'),
    "a raw newline": with_raw("owner_id", '"a\nb"'),
    "an unknown escape": with_raw("owner_id", r'"\x41"'),
    "a lone surrogate": with_raw("owner_id", r'"\ud800"'),
    "a lone low surrogate": with_raw("owner_id", r'"\udc00"'),
    "an encoded surrogate": with_raw("owner_id", '"\ud800"'),
    "invalid UTF-8": b'{"owner_id": "\xff"}',
    "overlong UTF-8": b'{"owner_id": "\xc0\xaf"}',
    "Latin-1": '{"owner_id": "Ødegård"}'.encode("latin-1"),
    "UTF-16": '{"owner_id": "a"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(operation("a")).encode(),
    "gzip": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json_is_400_and_says_where(caller, body):
    """RFC 8259 §2; RFC 9110 §15.5.1."""
    answer = caller.post("/ledger", body)

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    assert "line" in answer.json["detail"]


TWICE = {
    "at the top": b'{"owner_id": "a", "owner_id": "b"}',
    "in metadata": with_raw("metadata", '{"a": 1, "a": 1}'),
    "deep below": with_raw("metadata", '{"x": [{"a:": ":", "b": {"c": 1, "c": 2}}]}'),
    "written in two ways": b'{"owner_id": "a", "owner\\u005fid": "b"}',
    "the empty name": with_raw("metadata", '{"": 1, "": 2}'),
}


@pytest.mark.parametrize("body", TWICE.values(), ids=TWICE)
def test_a_name_twice_in_one_object_is_400(caller, body):
    """RFC 8259 §4: which of them counts is anyone's guess."""
    answer = caller.post("/ledger", body)

    assert (answer.status_code, answer.json["code"]) == (400, "duplicate_name")


def test_a_name_twice_within_a_line_is_400_and_says_in_which(caller):
    good = json.dumps(operation("a")).encode()
    body = good + b'\n{"owner_id": "a", "owner_id": "b"}'

    answer = caller.post("/ledger/batches", body, media=NDJSON)

    assert (answer.status_code, answer.json["code"]) == (400, "duplicate_name")
    assert answer.json["pointer"] == "/entries/1"


@pytest.mark.parametrize("body", [[], [1], 5, 1.5, "text", None, True])
@pytest.mark.parametrize("path", ["/ledger", "/ledger/transfers", "/ledger/batches"])
def test_json_that_is_no_object_is_422(caller, path, body):
    answer = caller.post(path, body)

    assert (answer.status_code, pointers(answer)) == (422, [""])


OTHER_TYPES = [None, True, 0, 1.5, "", [], {}, ["a"], {"a": 1}]


@pytest.mark.parametrize("value", OTHER_TYPES, ids=repr)
@pytest.mark.parametrize("field", ["owner_id", "operation", "nonce"])
def test_a_text_of_another_type_is_422(caller, field, value):
    answer = caller.post("/ledger", {**operation("a"), field: value})

    assert answer.status_code == 422
    assert set(pointers(answer)) == {f"/{field}"}


@pytest.mark.parametrize("value", [None, True, 0, "text", [], [{}]], ids=repr)
def test_metadata_is_an_object(caller, value):
    answer = caller.post("/ledger", operation("a", metadata=value))

    assert (answer.status_code, pointers(answer)) == (422, ["/metadata"])


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-1",
        "-0",
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
        "1" + "0" * 30,
        "-1" + "0" * 30,
        "1" + "0" * 300,
        "1.5",
        "1.0",
        "1e0",
        "1e3",
        "1E-400",
        '"1"',
        "true",
        "null",
        "[1]",
        "{}",
    ],
)
def test_an_amount_is_a_whole_number_from_1_to_2_53(caller, number):
    body = json.dumps({**transfer("a", "b"), "amount": "HERE"})

    answer = caller.post("/ledger/transfers", body.replace('"HERE"', number).encode())

    assert (answer.status_code, pointers(answer)) == (422, ["/amount"])


@pytest.mark.parametrize(
    "number", ["1.5", "9007199254740993", "-9007199254740993", "1" + "0" * 30, "1e5"]
)
@pytest.mark.parametrize("shape", ["{}", "[{}]", '{{"deep": [1, {}]}}'])
def test_metadata_has_no_number_that_would_change(caller, number, shape):
    """RFC 8259 §6: beyond 2^53 receivers disagree."""
    body = with_raw("metadata", f'{{"n": {shape.format(number)}}}')

    answer = caller.post("/ledger", body)

    assert (answer.status_code, pointers(answer)) == (422, ["/metadata"])


CONTROL = ["\0", "\x01", "\n", "\t", "\x1f", "\x7f", "\x85", "\x9f"]


@pytest.mark.parametrize("character", CONTROL, ids=ascii)
def test_a_nonce_has_no_control_characters(caller, character):
    answer = caller.post("/ledger", operation("a", nonce=f"a{character}b"))

    assert (answer.status_code, pointers(answer)) == (422, ["/nonce"])


@pytest.mark.parametrize("length", [0, 256, 100_000])
def test_a_nonce_has_1_to_255_characters(caller, length):
    answer = caller.post("/ledger", operation("a", nonce="x" * length))

    assert (answer.status_code, pointers(answer)) == (422, ["/nonce"])


@pytest.mark.parametrize(
    ("metadata", "pointer"),
    [
        ({"a": "\0"}, "/metadata/a"),
        ({"a": ["x", {"b": "\0"}]}, "/metadata/a/1/b"),
        ({"a/b~c": "\0"}, "/metadata/a~1b~0c"),
        ({"\0": 1}, "/metadata"),
        ({"a": {"\0": {"b": "\\u0000"}}}, "/metadata/a"),
    ],
)
def test_nul_in_metadata_is_422_and_says_where(caller, metadata, pointer):
    """PostgreSQL's jsonb has no NUL; RFC 6901 says where it is."""
    answer = caller.post("/ledger", operation("a", metadata=metadata))

    assert (answer.status_code, pointers(answer)) == (422, [pointer])


@pytest.mark.parametrize("name", ["extra", "amount ", "Owner_id", "", "__class__", "é"])
@pytest.mark.parametrize("path", ["/ledger", "/ledger/transfers", "/ledger/batches"])
def test_an_unknown_field_is_422_by_name(caller, path, name):
    bodies = {
        "/ledger": operation("a"),
        "/ledger/transfers": transfer("a", "b"),
        "/ledger/batches": {"entries": [operation("a")]},
    }

    answer = caller.post(path, {**bodies[path], name: 1})

    assert (answer.status_code, pointers(answer)) == (422, [f"/{name}"])


def test_a_body_of_unknown_fields_makes_no_long_answer(caller):
    body = "{" + ",".join(f'"{n}":0' for n in range(300_000)) + "}"

    answer = caller.post("/ledger", body.encode())

    assert answer.status_code == 422
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonx",
        "application/json-patch+json",
        "json",
        NDJSON,
        ";",
        "é",
        "application/json, text/plain",
    ],
)
def test_another_media_type_is_415(caller, media):
    """RFC 9110 §15.5.16."""
    answer = caller.post("/ledger", operation("a"), media=media)

    assert (answer.status_code, answer.json["code"]) == (
        415,
        "unsupported_media_type",
    )


@pytest.mark.parametrize(
    "media",
    ["application/json;", "Application/JSON", "application/json; charset=utf-8"],
)
def test_a_media_type_may_have_parameters_and_capitals(caller, media):
    """RFC 9110 §8.3.1."""
    answer = caller.post("/ledger", {}, media=media)

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "path", ["/ledger", "/ledger/transfers", "/ledger/batches", "/content"]
)
def test_a_body_of_ten_megabytes_is_413(caller, new_caller, path):
    sender = new_caller(application="content") if path == "/content" else caller

    answer = sender.post(path, b'{"owner_id": "' + b"x" * 10_000_000 + b'"}')

    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "path",
    [
        "/ledger/transfers/1",
        "/ledger/transfers/not-an-id",
        "/jobs/1",
        "/jobs/%00",
        "/content/1",
        "/ledger/transfers/00000000-0000-0000-0000-00000000000g",
    ],
)
def test_an_id_that_is_none_is_404(caller, path):
    answer = caller.get(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, PROBLEM)


NAMED = sorted({path for _, path in RULES if "{" in path})


@pytest.mark.parametrize("path", NAMED)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_nothing_has_a_name_with_nul(caller, path, method):
    named = re.sub(r"\{\w+(:\w+)?\}", "a%00b", path)

    assert caller.send(method, named).status_code == 404


@pytest.mark.parametrize("value", ["\0", "a\0b", "é", "\ufffd", "x" * 5_000, "';--"])
@pytest.mark.parametrize(
    ("path", "name"), [("/jobs", "kind"), ("/ledger/someone/entries", "operation")]
)
def test_any_text_may_be_looked_for(caller, path, name, value):
    answer = caller.get(path, params={name: value})

    assert answer.status_code in (200, 422)


@pytest.mark.parametrize(
    "query",
    [
        "%",
        "%zz",
        "%ff%fe",
        "%ed%a0%80",
        "=",
        "&&&",
        "=&=",
        "a" * 60_000,
        "%00=%00",
        "+",
    ],
)
@pytest.mark.parametrize(
    "path", ["/jobs", "/ledger/someone", "/ledger/someone/entries"]
)
def test_a_query_nobody_can_read_is_422_or_nothing(caller, path, query):
    answer = caller.get(path, query_string=query)

    assert answer.status_code in (200, 422)


def test_an_owner_nobody_may_name_is_422_however_it_is_hidden(caller):
    hidden = [r'"\u0040treasury"', '"@treasury"', r'"@issu\u0061nce"']

    answers = [caller.post("/ledger", with_raw("owner_id", text)) for text in hidden]

    assert [pointers(answer) for answer in answers] == [["/owner_id"]] * 3


def test_a_foreign_key_writes_nothing_into_an_application(caller, new_caller):
    """There is no way to say which application; the key does."""
    answer = new_caller(application="content").post(
        "/ledger", {**operation(make_owner()), "application": "commons"}
    )

    assert (answer.status_code, pointers(answer)) == (422, ["/application"])
