import io
import json

import pytest

from cli.ledger_file import BadLine, LedgerFile

HEADER = b"owner_id,operation,nonce\n"


def read(content, size=1000):
    return list(LedgerFile(io.BytesIO(content)).batches(size=size))


def fields(content):
    return [dict(entry.fields) for batch in read(content) for entry in batch.entries]


def test_csv_and_ndjson_say_the_same():
    csv = b"owner_id,operation,nonce\nalice,SIGNUP_CREDIT,a1\nbob,CREDIT_ADD,b1\n"
    ndjson = (
        b'{"owner_id":"alice","operation":"SIGNUP_CREDIT","nonce":"a1"}\n'
        b'{"owner_id":"bob","operation":"CREDIT_ADD","nonce":"b1"}\n'
    )
    assert fields(csv) == fields(ndjson)


def test_amounts_become_numbers_and_metadata_an_object():
    csv = b'from,to,amount,nonce,metadata\na,b,10,n1,"{""why"": ""tea""}"\na,b,2,n2,\n'
    assert fields(csv) == [
        {
            "from": "a",
            "to": "b",
            "amount": 10,
            "nonce": "n1",
            "metadata": {"why": "tea"},
        },
        {"from": "a", "to": "b", "amount": 2, "nonce": "n2"},
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + HEADER + b"alice,X,n\n",
        b"\n\n" + HEADER + b"\nalice,X,n",
        HEADER.replace(b"\n", b"\r\n") + b"alice,X,n\r\n",
        b" owner_id , operation , nonce \nalice,X,n\n",
        b"nonce,owner_id,operation\nn,alice,X\n",
        b'\n{"nonce": "n", "operation": "X", "owner_id": "alice"}\n\n',
    ],
)
def test_marks_blanks_and_order_of_columns_do_not_matter(content):
    assert fields(content) == [{"owner_id": "alice", "operation": "X", "nonce": "n"}]


def test_an_empty_file_has_no_batches():
    assert read(b"") == read(b"\n\n") == read(HEADER) == []


def test_a_quoted_field_may_hold_commas_and_line_ends():
    content = HEADER + b'"al,\nice",X,n1\nbob,X,n2\n'
    assert fields(content)[0]["owner_id"] == "al,\nice"
    assert read(content)[0].entries[1].line == 4


def test_batches_have_the_size_asked_for_and_end_where_their_last_line_does():
    lines = [b"o%d,X,n%d\n" % (n, n) for n in range(7)]
    content = HEADER + b"".join(lines)
    batches = read(content, size=3)
    assert [len(batch.entries) for batch in batches] == [3, 3, 1]
    assert [batch.index for batch in batches] == [0, 1, 2]
    assert [entry.line for entry in batches[1].entries] == [5, 6, 7]
    assert batches[-1].end == len(content)


def test_no_batch_outgrows_a_request():
    metadata = json.dumps({"note": "x" * 40_000})
    line = json.dumps(
        {"owner_id": "o", "operation": "X", "nonce": "n", "metadata": metadata}
    )
    batches = read((line + "\n").encode() * 300, size=5000)
    assert sum(len(batch.entries) for batch in batches) == 300
    assert all(len(batch.body(atomic=False)) < 5 * 1024 * 1024 for batch in batches)


def test_a_body_is_the_same_for_the_same_entries():
    one = read(b'{"owner_id":"a","operation":"X","nonce":"n"}\n')[0]
    two = read(b'{"nonce":"n","owner_id":"a","operation":"X"}\n')[0]
    assert one.body(atomic=False) == two.body(atomic=False)
    assert json.loads(one.body(atomic=True)) == {
        "atomic": True,
        "entries": [{"owner_id": "a", "operation": "X", "nonce": "n"}],
    }


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        (b"name,amount\na,1\n", 1, "it must name owner_id"),
        (HEADER + b"alice,X\n", 2, "2 fields, the header has 3"),
        (HEADER + b"alice,X,n\nalice,X,\n", 3, "the nonce must be a word"),
        (HEADER + b'alice,"X,n\n', 2, "not CSV"),
        (HEADER + b"al\xffice,X,n\n", 2, "not UTF-8"),
        (b"from,to,amount,nonce\na,b,1.5,n\n", 2, "'1.5' is no whole number"),
        (
            b"owner_id,operation,nonce,metadata\na,X,n,{oops\n",
            2,
            "metadata: not JSON",
        ),
        (b'{"owner_id":"a","operation":"X","nonce":"n"}\n{oops\n', 2, "not JSON"),
        (
            b'{"owner_id":"a","operation":"X","nonce":"n"}\n[1]\n',
            2,
            "not a JSON object",
        ),
        (b'{"owner_id":"a","operation":"X"}\n', 1, "no nonce, the word that keeps"),
        (b'{"owner_id":"a","operation":"X","nonce":7}\n', 1, "must be a word"),
        (b'{"from":"a","to":"b","nonce":"n"}\n', 1, "no amount"),
        (b'{"owner_id":"a","operation":"X","nonce":"n","x":1}\n', 1, "unknown: x"),
        (b'{"nonce":"%s"}\n' % (b"x" * 70_000), 1, "longer than"),
    ],
)
def test_a_bad_line_is_named_with_its_fault(content, line, fault):
    with pytest.raises(BadLine) as caught:
        read(content)
    assert caught.value.message.startswith(f"line {line}: ")
    assert fault in caught.value.message


def test_what_stands_before_a_bad_line_comes_out_in_whole_batches():
    content = HEADER + b"".join(b"o,X,n%d\n" % n for n in range(5)) + b"bad\n"
    batches = LedgerFile(io.BytesIO(content)).batches(size=2)
    assert len(next(batches).entries) == len(next(batches).entries) == 2
    with pytest.raises(BadLine, match="line 7"):
        next(batches)
