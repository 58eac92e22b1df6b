import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import passwords
from domain.passwords import WeakPassword, normal, require_strong

COMMON = sorted(passwords._common())


@given(st.text(max_size=140), st.from_regex(r"[a-z]{3,8}", fullmatch=True))
def test_a_password_that_is_accepted_is_long_and_without_the_name(password, name):
    try:
        require_strong(password, username=name)
    except WeakPassword:
        return

    assert 10 <= len(password) <= 128
    assert name not in password.casefold()


@given(st.sampled_from(COMMON))
def test_common_passwords_are_refused_in_any_case(password):
    for spelled in (password, password.upper(), password.title()):
        with pytest.raises(WeakPassword):
            require_strong(spelled, username="somebody")


def test_the_list_holds_only_what_is_long_enough_to_matter():
    assert len(COMMON) > 300
    assert min(map(len, COMMON)) >= passwords.LENGTH_MIN
    assert all(word == word.casefold() for word in COMMON)


@given(st.text())
def test_a_password_has_one_form_however_it_was_typed(text):
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}

    assert len({normal(form) for form in forms}) == 1
