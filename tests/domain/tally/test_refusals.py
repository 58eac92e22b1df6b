"""What cannot be counted is refused in words of the rule, and in none of the ballot's.

A refusal stays in a job beside who sent the ballot, which may be a secret one.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tally import METHODS, BadBallot, Election

OPTIONS = ("foxglove", "marigold")
WORDS = st.sampled_from([*OPTIONS, "Foxglove", "xyzzy", "objection"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(WORDS, inner, max_size=3)
        | st.lists(st.tuples(WORDS, inner).map(list), max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("method", METHODS)
@given(value=ANY_JSON)
def test_no_refusal_repeats_the_ballot(method, value):
    options = () if method in {"yes-no", "consent"} else OPTIONS
    election = Election(method=method, options=options, choices_min=2, choices_max=2)

    try:
        METHODS[method].read(value, election)
    except BadBallot as refusal:
        told = str(refusal).lower()
        assert not any(word in told for word in (*OPTIONS, "xyzzy"))
