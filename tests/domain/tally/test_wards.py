"""The wards' CSV, with the quotes it has and the names it may have."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tally import wards
from domain.tally.ballot_files import BadBallotFile

WHOLE = """\
3,2,
12,1,3,
5,2,
1,3,2,1,
"Candidate 1","Ada Lovelace","Independent (Ind)",
"Candidate 2","Ben O'Neil, Jr","Green (Gr)",
"Candidate 3","Cat","Labour (Lab)",
""Ward 1 - Somewhere, and Elsewhere"","""


def test_a_ward_is_read_with_its_title_seats_and_ballots():
    file = wards.read(WHOLE)

    assert (file.title, file.seats) == ("Ward 1 - Somewhere, and Elsewhere", 2)
    assert file.options == ("Ada Lovelace", "Ben O'Neil, Jr", "Cat")
    assert file.rankings == {
        ("Ada Lovelace", "Cat"): 12,
        ("Ben O'Neil, Jr",): 5,
        ("Cat", "Ben O'Neil, Jr", "Ada Lovelace"): 1,
    }


def read(*, ballots="1,1,", names=None, title='"Ward"', head="2,1,"):
    names = names or ['"Candidate 1","A","P",', '"Candidate 2","B","Q",']
    return wards.read("\n".join([head, ballots, *names, title]))


@pytest.mark.parametrize(
    ("ballots", "found"),
    [
        ("3,1,2,", {("A", "B"): 3}),
        ("3,1,2", {("A", "B"): 3}),
        (" 3 , 1 , 2 ,,, ", {("A", "B"): 3}),
        ("3,,", {(): 3}),
        ("3,1,,2", {("A",): 3}),
        ("3,1,1,2", {("A", "B"): 3}),
        ("3,1,2\n4,1,2", {("A", "B"): 7}),
    ],
)
def test_ballots_are_read_up_to_a_preference_left_empty(ballots, found):
    assert read(ballots=ballots).rankings == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (['"Candidate 1","A","P"', '"Candidate 2","B"'], ("A", "B")),
        (["Candidate 1,A,P,", "Candidate 2,B,Q,"], ("A", "B")),
        (['"Candidate 2","B","Q",', '"Candidate 1","A","P",'], ("A", "B")),
        (['"Candidate 1","A","P",', '"Candidate 2","A","Q",'], ("A (P)", "A (Q)")),
        (
            ['"Candidate 1","A","P",', '"Candidate 2","A","P",'],
            ("A (P) #1", "A (P) #2"),
        ),
        (['"Candidate 1","","P",', '"Candidate 2","B","Q",'], ("#1", "B")),
        (['"Candidate 1"," A  C ","P",', '"Candidate 2","B","Q",'], ("A C", "B")),
        (['"Candidate 1","A ""C""","P",', '"Candidate 2","B",""'], ('A ""C""', "B")),
    ],
)
def test_names_are_told_apart(names, found):
    assert read(names=names).options == found


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ('"Ward 1"', "Ward 1"),
        ('""Ward 1"",', "Ward 1"),
        ('""""Ward 6 - Irvine Valley"" "",', "Ward 6 - Irvine Valley"),
        ("Ward 1\r\n\r\n", "Ward 1"),
        ("", ""),
    ],
)
def test_a_title_is_what_stands_between_all_the_quotes(title, found):
    assert read(title=title).title == found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Line 1: the file is empty"),
        ("\n,,\n", "Line 1: the file is empty"),
        ("2,", "Line 1: the first line has"),
        ("2,1,3", "Line 1: the first line has"),
        ("2,1,", "Line 1: the file ends without candidate 1"),
        ("2,1,\n1,3,", "Line 2: a preference is a whole number from 1 to 2, not '3'"),
        ("2,1,\n0,1,", "Line 2: the number of ballots is a whole number from 1"),
        ("2,1,\n1,x,", "Line 2: a preference"),
        ('2,1,\n1,1,\n"Candidate 1","A",""\n"W"', "Line 4: the file ends without cand"),
        ('2,1,\n"Candidate 3","A",""\n"W"', "Line 2: the number of a candidate"),
        ('2,1,\n"Candidate 1","A",""\n"Candidate 1","B",""', "Line 3: candidate 1 was"),
        ('2,1,\n"Candidate 1","A",""\n1,1,\n"Candidate 2","B",""', "Line 3: neither"),
    ],
)
def test_a_fault_is_told_with_its_line(text, fault):
    with pytest.raises(BadBallotFile) as caught:
        wards.read(text)

    assert fault in str(caught.value)


@given(st.text('0123456789, \n"Candidate'))
def test_any_text_is_read_or_refused(text):
    with suppress(BadBallotFile):
        assert wards.read("2,1,\n" + text).seats == 1
