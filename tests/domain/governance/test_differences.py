"""What changed in a text is shown exactly, and found in a time that is bounded."""

import random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.governance import differences
from domain.governance.differences import COMPARED_MAX, difference

NAMES = ("version 1", "version 2")
LINES = st.lists(st.sampled_from("abc"), max_size=12)


def apply(before, diff):
    """Return what a unified diff makes of lines, as patch(1) would."""
    after, read = [], 0
    for line in diff[2:]:
        if line.startswith("@@"):
            start, count = line.split()[1][1:].partition(",")[::2]
            first = int(start) - (count != "0")
            after += before[read:first]
            read = first
        elif line[0] == "+":
            after.append(line[1:])
        else:
            assert before[read] == line[1:]
            after += [line[1:]] if line[0] == " " else []
            read += 1
    return after + before[read:]


@pytest.mark.parametrize("compared", [0, COMPARED_MAX])
@given(LINES, LINES)
def test_it_leads_from_one_text_to_the_other(compared, before, after):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(differences, "COMPARED_MAX", compared)
        assert apply(before, difference(before, after, NAMES)) == after


def test_of_very_many_lines_those_between_the_first_and_last_are_shown():
    before = [str(number) for number in range(COMPARED_MAX + 1)]
    after = [*before[:500], "new", *before[501:]]

    assert difference(before, after, NAMES) == [
        "--- version 1",
        "+++ version 2",
        "@@ -501,1 +501,1 @@",
        "-500",
        "+new",
    ]


@pytest.mark.parametrize("kinds", [2, 10, 100, 1_000])
@pytest.mark.parametrize("lines", [COMPARED_MAX, 10_000])
def test_the_worst_of_texts_takes_no_process_from_others(lines, kinds):
    """Lines of one character, as many as a description can have, in any order."""
    noise = random.Random(7)
    texts = [[str(noise.randrange(kinds)) for _ in range(lines)] for _ in range(2)]
    began = process_time()
    difference(*texts, NAMES)

    assert process_time() - began < 0.1
