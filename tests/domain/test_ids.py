import time
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import derived_id, transfer_id, uuid7

VARIANT_BITS = 62

parts = st.lists(
    st.text(st.characters(exclude_characters="\0", codec="utf-8")), max_size=4
)


def test_ids_of_one_process_only_grow():
    ids = [uuid7() for _ in range(10_000)]

    assert ids == sorted(set(ids))


def test_ids_grow_within_each_thread_and_never_repeat_across_them():
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [uuid7() for _ in range(2_000)], range(8)))

    assert all(run == sorted(run) for run in runs)
    assert len({one for run in runs for one in run}) == 16_000


def test_an_id_says_its_version_and_variant():
    made = uuid7()

    assert made.version == 7
    assert made.int >> VARIANT_BITS & 0b11 == 0b10


def test_an_id_starts_with_the_time_in_milliseconds():
    before = time.time_ns() // 1_000_000
    made = uuid7()

    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


@given(parts)
def test_a_derived_id_is_the_same_every_time(parts):
    made = derived_id(*parts)

    assert made == derived_id(*parts)
    assert (made.version, made.int >> VARIANT_BITS & 0b11) == (8, 0b10)


@given(parts, parts)
def test_other_parts_derive_another_id(one, other):
    assert (derived_id(*one) == derived_id(*other)) == (one == other)


def test_a_derived_id_stays_what_it_was_when_it_was_first_stored():
    made = derived_id("commons", "0190", "ledger", "nonce")

    assert str(made) == "e58c1887-c8e5-88fa-a832-de68f9e1576f"


def test_a_transfer_belongs_to_one_application_principal_and_nonce():
    ada, ben = uuid7(), uuid7()

    made = {
        transfer_id("commons", ada, "n"),
        transfer_id("content", ada, "n"),
        transfer_id("commons", ben, "n"),
        transfer_id("commons", ada, "m"),
    }

    assert len(made) == 4
