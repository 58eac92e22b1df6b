"""BLT: read as programs write it, written so that it is read the same."""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tally import blt
from domain.tally.ballot_files import BadBallotFile, BallotFile

WHOLE = """\
4 2
-3
3 1 3 4 0
4 1 3 2 0
2 4 1 3 0
1 2 0
0
"Adam"
"Basil"
"Charlotte"
"Donald"
"Gardening Club"
"""


def test_a_file_is_read_with_its_title_seats_and_ballots():
    file = blt.read(WHOLE)

    assert (file.title, file.seats) == ("Gardening Club", 2)
    assert file.options == ("Adam", "Basil", "Donald")
    assert file.withdrawn == ("Charlotte",)
    assert file.rankings == {
        ("Adam", "Donald"): 3,
        ("Adam", "Basil"): 4,
        ("Donald", "Adam"): 2,
        ("Basil",): 1,
    }


def rankings(ballots, names='"A"\n"B"\n"C"\n'):
    return dict(blt.read(f"3 1\n{ballots}\n0\n{names}").rankings)


@pytest.mark.parametrize(
    ("ballots", "found"),
    [
        ("3 1 2 0", {("A", "B"): 3}),
        ("3 0", {(): 3}),
        ("3 1 2 0\n2 1 2 0", {("A", "B"): 5}),
        ("3 1 1 2 0", {("A", "B"): 3}),
        ("3 1 - 2 0", {("A",): 3}),
        ("3 - 1 2 0", {(): 3}),
        ("3 1 2=3 0", {("A",): 3}),
        ("3 2=3 1 0", {(): 3}),
        ("(voter 7) 1 2 0", {("B",): 1}),
        ("(7) 3 1 2 0", {("A", "B"): 3}),
        ("  3\t1  2 0  # late", {("A", "B"): 3}),
        ("# none yet\n\n3 1 0", {("A",): 3}),
        ("-2 -3\n3 3 2 0", {(): 3}),
        ("3 1 2 0\n-2\n4 2 1 0", {("A",): 7}),
    ],
)
def test_ballots_are_read_as_far_as_they_are_plain(ballots, found):
    assert rankings(ballots) == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ('"A"\n"B"\n"C"', ("A", "B", "C")),
        ('"A" "Greens"\n"B" "Reds"\n"C"\n"Ward"', ("A", "B", "C")),
        ('"A" "Greens"\n"A" "Reds"\n"C"', ("A (Greens)", "A (Reds)", "C")),
        ('"A"\n"A"\n""', ("A #1", "A #2", "#3")),
        ('"Jim ""Jo"" Li"\n"O\\"B"\n" C  D # 1 "', ('Jim "Jo" Li', 'O"B', "C D # 1")),
        ('"A, B"\n"C"\n"D"  # third', ("A, B", "C", "D")),
    ],
)
def test_names_may_have_parties_quotes_and_doubles(names, found):
    assert blt.read(f"3 1\n1 1 0\n0\n{names}\n").options == found


def test_lines_may_end_as_on_windows_and_the_title_may_be_missing():
    file = blt.read('2 1\r\n1 1 2 0\r\n0\r\n"A"\r\n"B"\r\n')

    assert (file.title, file.rankings) == ("", {("A", "B"): 1})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Line 1: the file ends before its first line"),
        ("# nothing", "Line 1: the file ends before its first line"),
        ("4", "Line 1: the first line has numbers of candidates and seats"),
        ("4 x", "Line 1: the number of seats is a whole number"),
        ("0 1", "Line 1: the number of candidates is a whole number from 1"),
        ("1001 1", "Line 1: the number of candidates is a whole number from 1 to 1000"),
        ("2 1\n3 1 2", "Line 2: a ballot ends with 0"),
        ("2 1\n3", "Line 2: a ballot ends with 0"),
        ("2 1\n1.5 1 0", "Line 2: the number of ballots is a whole number"),
        ("2 1\n1 3 0", "Line 2: a preference is a whole number from 1 to 2, not '3'"),
        ("2 1\n1 1=x 0", "Line 2: a preference is a whole number"),
        ("2 1\n-3", "Line 2: the number after a minus is a whole number from 1 to 2"),
        ("2 1\n(7)", "Line 2: the number of ballots is a whole number"),
        ("2 1\n" + "9" * 5000 + " 1 0", "Line 2: the number of ballots"),
        ("2 1\n1 1 0\n", "Line 2: the file ends before the 0 that ends the ballots"),
        ('2 1\n1 1 0\n0\n"A"', "Line 4: the file ends before the last name"),
        ('2 1\n1 1 0\n0\n"A"\nB', "Line 5: a name stands in quotes, not B"),
        ("2 1\n٣ 1 0", "Line 2: the number of ballots"),
    ],
)
def test_a_fault_is_told_with_its_line(text, fault):
    with pytest.raises(BadBallotFile) as caught:
        blt.read(text)

    assert fault in str(caught.value)


names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=9)


@st.composite
def files(draw):
    everybody = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    gone = draw(st.integers(0, len(everybody) - 1))
    options, withdrawn = everybody[gone:], everybody[:gone]
    orders = st.lists(st.sampled_from(options), unique=True).map(tuple)
    return BallotFile(
        title=draw(st.just("") | names),
        seats=draw(st.integers(1, 9)),
        options=tuple(options),
        rankings=Counter(draw(st.dictionaries(orders, st.integers(1, 99)))),
        withdrawn=tuple(withdrawn),
    )


@given(files())
def test_what_is_written_is_read_the_same(file):
    assert blt.read(blt.write(file)) == file


@given(st.text('0123456789 -=\n"#()ab'))
def test_any_text_is_read_or_refused(text):
    with suppress(BadBallotFile):
        assert blt.read("2 1\n" + text).seats == 1
