"""Passwords are kept by argon2id alone, and only the right one opens."""

import hashlib
import re

import argon2
import pytest

from siaga_central.authority import passwords

RIGHT = "Nasi-lemak 112 – pagi"


@pytest.fixture(scope="module")
def hashed() -> str:
    return passwords.hash_password(RIGHT)


def test_a_made_password_can_be_typed_and_is_never_taken_for_an_option() -> None:
    made = [passwords.new_password(6) for _ in range(500)]
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{5}(-[0-9a-hjkmnp-tv-z]{5}){5}", one) for one in made)
    assert len(set(made)) == len(made)


def is_argon2id_of_rfc_9106(text: str) -> bool:
    """Whether `text` is an argon2id hash with the RFC's second recommended parameters."""
    try:
        found = argon2.extract_parameters(text)
    except argon2.exceptions.InvalidHashError:
        return False
    costs = (found.time_cost, found.memory_cost, found.parallelism)
    return found.type is argon2.Type.ID and costs == (3, 65_536, 4) and found.salt_len >= 16


def test_the_hash_is_argon2id_and_says_nothing_of_the_password(hashed: str) -> None:
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert is_argon2id_of_rfc_9106(hashed)
    assert is_argon2id_of_rfc_9106(passwords.NOBODY)
    assert RIGHT not in hashed


def test_the_same_look_catches_weaker_hashes() -> None:
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    other = argon2.PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4, type=argon2.Type.I)
    mutants = [cheap.hash(RIGHT), other.hash(RIGHT), hashlib.sha256(RIGHT.encode()).hexdigest()]
    assert not any(map(is_argon2id_of_rfc_9106, mutants))


def test_the_same_password_is_never_the_same_hash(hashed: str) -> None:
    assert passwords.hash_password(RIGHT) != hashed


def test_the_right_password_opens_and_another_library_call_agrees(hashed: str) -> None:
    assert passwords.verify(hashed, RIGHT)
    assert argon2.low_level.verify_secret(hashed.encode(), RIGHT.encode(), argon2.Type.ID)


@pytest.mark.parametrize("wrong", [RIGHT + " ", RIGHT.lower(), RIGHT[:-1], "\0" + RIGHT, "密码", "\ud800"])
def test_a_wrong_password_does_not_open(hashed: str, wrong: str) -> None:
    assert not passwords.verify(hashed, wrong)


@pytest.mark.parametrize("none", ["", "x", RIGHT, "$argon2id$", "$argon2id$v=19$m=65536,t=3,p=4$AAAA$"])
def test_a_hash_that_is_none_opens_for_nobody(none: str) -> None:
    assert not passwords.verify(none, RIGHT)
    assert not passwords.verify(none, "")


def test_nobody_is_let_in_by_the_hash_that_stands_for_nobody() -> None:
    assert not passwords.verify(passwords.NOBODY, "")
    assert not passwords.verify(passwords.NOBODY, RIGHT)
