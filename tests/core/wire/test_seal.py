"""A seal binds author, topic and words; whatever is changed, it is noticed."""

import json
import random
import zlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from siaga_core.service.signing import PublicKey, Signer, is_signed, opened
from siaga_core.wire import seal
from siaga_core.wire.envelope import BadRecord

KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
TOPIC = "siaga/v1/up/btm-017/rec/modem.urgent"
LONG = json.dumps({"words": ["kebakaran"] * 200}).encode()
BACKLOG = json.dumps([{"kind": "health", "body": {"value": value}} for value in range(200)]).encode()


def key_of(key_id: bytes) -> PublicKey | None:
    return KEY.public_key() if key_id == Signer(KEY).key_id else None


def look(payload: bytes, topic: str = TOPIC, most_bytes: int = 10_000) -> bytes:
    return opened(topic, payload, key_of, most_bytes=most_bytes, inflated_most_bytes=10_000)


def reason(payload: bytes, topic: str = TOPIC, most_bytes: int = 10_000) -> str:
    with pytest.raises(BadRecord) as caught:
        look(payload, topic, most_bytes)
    return caught.value.reason


@pytest.mark.parametrize("message", [b"", b"{}", LONG, BACKLOG])
def test_what_was_sealed_comes_out(message: bytes) -> None:
    assert look(Signer(KEY).seal(TOPIC, message)) == message


def test_long_messages_travel_deflated() -> None:
    assert len(Signer(KEY).seal(TOPIC, LONG)) < len(LONG) / 5
    assert seal.unpack(Signer(KEY).seal(TOPIC, LONG), 10_000).flags == seal.DEFLATED
    assert seal.unpack(Signer(KEY).seal(TOPIC, BACKLOG), 10_000).flags == seal.LZMA2


@pytest.mark.parametrize("message", [LONG, BACKLOG])
def test_every_changed_byte_is_noticed(message: bytes) -> None:
    payload = Signer(KEY).seal(TOPIC, message)
    for place in range(len(payload)):
        changed = bytearray(payload)
        changed[place] ^= 1 + random.Random(place).randrange(255)
        assert reason(bytes(changed)) in ("seal", "version", "stranger", "forged", "oversized")


def test_a_seal_is_for_one_topic_and_one_author() -> None:
    payload = Signer(KEY).seal(TOPIC, LONG)
    assert reason(payload, TOPIC.replace("017", "018")) == "forged"
    assert reason(Signer(STRANGER).seal(TOPIC, LONG)) == "stranger"
    borrowed = seal.unpack(Signer(STRANGER).seal(TOPIC, LONG), 10_000)
    claimed = seal.Sealed(Signer(KEY).key_id, borrowed.signature, borrowed.flags, borrowed.content)
    assert reason(seal.pack(claimed)) == "forged"


@pytest.mark.parametrize("message", [LONG, BACKLOG])
def test_what_is_cut_short_or_not_sealed_is_refused(message: bytes) -> None:
    payload = Signer(KEY).seal(TOPIC, message)
    for end in range(len(payload)):
        assert reason(payload[:end]) in ("seal", "forged")
    assert reason(b"{}") == "seal"
    assert reason(b"S2" + payload[2:]) == "version"
    assert reason(payload, most_bytes=20) == "oversized"


@pytest.mark.parametrize("size_bytes", [8_000, 50_000_000])
def test_what_an_author_cut_short_or_lengthened_himself_is_refused(size_bytes: int) -> None:
    flags, content = seal.prepare(b"0" * size_bytes)
    for wrong in (content[:-1], content[: len(content) // 2], content + b"0"):
        with pytest.raises(BadRecord):
            seal.expand(seal.Sealed(bytes(8), bytes(64), flags, wrong), 60_000_000)


@pytest.mark.parametrize("flags", [seal.DEFLATED, seal.LZMA2])
def test_a_bomb_makes_no_more_than_the_bound(flags: int) -> None:
    bomb = zlib.compress(b"0" * 50_000_000) if flags == seal.DEFLATED else seal.prepare(b"0" * 50_000_000)[1]
    signed = Signer(KEY)
    content = seal.Sealed(signed.key_id, bytes(64), flags, bomb)
    with pytest.raises(BadRecord, match="inflates to more than"):
        seal.expand(content, 10_000)


def plays_elsewhere(octets: Callable[[str], bytes]) -> bool:
    """Whether a signature over octets(one topic) is taken for another topic."""
    payload = Signer(KEY).seal(TOPIC, b"{}")
    real = seal.unpack(payload, 1000)
    r_and_s = signature(octets(TOPIC))
    assert is_signed(KEY.public_key(), real.signature, seal.signed_octets(TOPIC, b"{}", seal.PLAIN))
    return is_signed(KEY.public_key(), r_and_s, octets(TOPIC.replace("017", "018")))


def signature(octets: bytes) -> bytes:
    r, s = decode_dss_signature(KEY.sign(octets, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_a_seal_over_the_words_alone_would_be_caught() -> None:
    assert not plays_elsewhere(lambda topic: seal.signed_octets(topic, b"{}", seal.PLAIN))
    assert plays_elsewhere(lambda _topic: seal.signed_octets("", b"{}", seal.PLAIN)), "the mutant"
