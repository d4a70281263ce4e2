"""Secrets stay out of what is stored, however they are spelled and wherever the stream is cut."""

import base64
import itertools
import json
import string
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy import redaction
from policy.redaction import Redactor, redact_data, redact_text
from policy.redaction.plain import readings
from policy.redaction.spellings import forms

pytestmark = pytest.mark.pure

TOKEN = "s3cr3t/Token+With=odd\"chars' &<é>"
PLAIN_TOKEN = "ghp-4f9a81c7e2d04b6c"
PASSPHRASE = "correct horse battery staple"
NEWLINES = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END KEY-----\n"
WINDOWS = r"C:\new\readme\table"
CANARIES = [
    TOKEN,
    PLAIN_TOKEN,
    PASSPHRASE,
    NEWLINES,
    WINDOWS,
    "nnnnrrrrtttt",
    "пароль-очень-тайный",
    "🔑🔑🔑🔑🔑🔑🔑🔑",
    "0" * 20,
]


def b64(value, shift=0, after=b""):
    return base64.b64encode(b"x" * shift + value.encode() + after).decode()


def wrapped(text, width, newline="\n"):
    return newline.join(text[at : at + width] for at in range(0, len(text), width))


def escaped(value, which):
    return "".join(f"\\u{int.from_bytes(pair):04X}" if which(one) else one for one in value for pair in utf16(one))


def utf16(character):
    data = character.encode("utf-16-be")
    return [data[at : at + 2] for at in range(0, len(data), 2)]


SPELLINGS = {
    "raw": lambda value: value,
    "upper case": lambda value: "".join(one.upper() if one.isascii() else one for one in value),
    "percent": lambda value: quote(value, safe=""),
    "percent, lower case": lambda value: quote(value, safe="").lower(),
    "percent, slashes kept": quote,
    "form": quote_plus,
    "percent, every byte": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "base64": b64,
    "base64, second alignment": lambda value: b64(value, 1, b"yy"),
    "base64, third alignment": lambda value: b64(value, 2, b"y"),
    "base64, far in": lambda value: b64(value, 100, b"after"),
    "base64, for URLs": lambda value: base64.urlsafe_b64encode(b"id:" + value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "hex, upper case": lambda value: value.encode().hex().upper(),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"a": value})),
    "JSON for HTML": lambda value: escaped(value, lambda one: one in "<>&'\"" or not one.isascii() or one < " "),
    "JSON, every character": lambda value: escaped(value, lambda one: True),
    "wrapped": lambda value: wrapped(value, 5),
    "wrapped, Windows": lambda value: wrapped(value, 7, "\r\n"),
    "wrapped and indented": lambda value: wrapped(value, 4, "\n    "),
    "base64, wrapped": lambda value: wrapped(b64(value), 10),
    "base64, wrapped, in JSON": lambda value: json.dumps(wrapped(b64(value), 10)),
    "hex, wrapped": lambda value: wrapped(value.encode().hex(), 16),
}


def swallowed(chunks, secrets):
    redactor = Redactor(secrets)
    return b"".join([*(redactor.feed(chunk) for chunk in chunks), redactor.flush()])


def leaks(output: bytes, value: str) -> list[bytes]:
    texts = [text for _, text in readings(output)]
    return [form for form in forms(frozenset({("S", value)})) for text in texts if form in text]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", CANARIES, ids=range(len(CANARIES)))
def test_a_value_is_found_in_every_spelling(spelling, value):
    text = f"before {SPELLINGS[spelling](value)} after\n"

    found = redact_text(text, {"API_KEY": value})

    assert "[redacted:API_KEY]" in found
    assert leaks(found.encode(), value) == []
    assert found.startswith("before ")
    assert found.endswith(" after\n")


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", CANARIES, ids=range(len(CANARIES)))
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_value_is_found_across_the_borders_of_chunks(spelling, value, size):
    text = f"before {SPELLINGS[spelling](value)} after\n".encode()

    found = swallowed([text[at : at + size] for at in range(0, len(text), size)], {"API_KEY": value})

    assert b"[redacted:API_KEY]" in found
    assert leaks(found, value) == []


def test_the_text_around_a_value_stays_as_it_was():
    text = f"  a\\b\t{PLAIN_TOKEN}\r\n\x1b[31m{PLAIN_TOKEN}{PLAIN_TOKEN}, end\\"

    assert redact_text(text, {"K": PLAIN_TOKEN}) == "  a\\b\t[redacted:K]\r\n\x1b[31m[redacted:K][redacted:K], end\\"


def test_each_value_goes_by_its_own_name():
    text = f"{PLAIN_TOKEN} and {PASSPHRASE}"

    assert redact_text(text, {"A": PLAIN_TOKEN, "B": PASSPHRASE}) == "[redacted:A] and [redacted:B]"


def test_a_value_that_begins_like_another_is_found_whole():
    secrets = {"SHORT": "abcdefgh", "LONG": "abcdefghijkl"}

    for chunks in ([b"x abcdefgh", b"ijkl y"], [b"x abcdefgh", b" y"], [b"x abcdefghijkl y"]):
        found = swallowed(chunks, secrets)
        assert b"efgh" not in found
        assert b"ijkl" not in found


def test_a_value_inside_another_leaves_nothing_of_either():
    secrets = {"INNER": "cdefghij", "OUTER": "abcdefghijkl"}

    assert swallowed([b"-abcdefghijkl-"], secrets) == b"-[redacted:OUTER]-"
    assert swallowed([b"-abcdefghij-"], secrets) == b"-ab[redacted:INNER]-"


def test_values_that_overlap_in_the_text_leave_nothing_of_either():
    assert swallowed([b"-abcdefghijkl-"], {"A": "abcdefgh", "B": "efghijkl"}) == b"-[redacted:A]-"


def test_one_line_of_a_key_is_found_by_itself():
    assert "BKcw" in NEWLINES
    assert redact_text("+ MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", {"KEY": NEWLINES}) == "+ [redacted:KEY]"


@pytest.mark.parametrize("value", ["", "short", "1234567", "a b c d", "\\\\\\\\\\\\\\\\", "        "])
def test_a_value_too_short_to_tell_from_text_is_left_and_said_to_be(value):
    assert not redaction.is_found(value)
    assert redact_text(f"x {value} y", {"K": value}) == f"x {value} y"


def test_what_could_begin_a_value_is_held_back_and_counted():
    redactor = Redactor({"K": PLAIN_TOKEN})

    assert redactor.feed(b"text ghp-4f") == b"text "
    assert redactor.pending == 6
    assert redactor.feed(b"ull stop") == b"ghp-4full stop"
    assert redactor.pending == 0


def test_the_rest_comes_when_nothing_more_will():
    redactor = Redactor({"K": PLAIN_TOKEN})

    assert redactor.feed(b"ghp-4f") + redactor.flush() == b"ghp-4f"
    assert redactor.pending == 0
    assert redactor.flush() == b""


def test_the_end_of_a_line_is_not_kept_from_its_reader():
    redactor = Redactor({"K": PLAIN_TOKEN})

    assert redactor.feed(b"walking\n") == b"walking\n"
    assert redactor.pending == 0
    assert redactor.feed(PLAIN_TOKEN[1:].encode()) == b"[redacted:K]", "a line break may stand inside a value"


def test_without_secrets_everything_passes_at_once():
    redactor = Redactor({})

    assert redactor.feed(b"anything") == b"anything"
    assert (redactor.pending, redactor.flush()) == (0, b"")


def test_endless_repetition_is_not_held_for_ever():
    redactor = Redactor({"K": "aaaaaaaaaa"})

    for _ in range(50):
        redactor.feed(b"a" * 1000)
        assert redactor.pending < 1000

    assert b"a" * 10 not in redactor.flush()


def test_all_texts_of_a_piece_of_json_are_redacted():
    data = {"argv": ["curl", f"-H {PLAIN_TOKEN}"], PLAIN_TOKEN: {"n": 1, "ok": True, "none": None}}

    assert redact_data(data, {"K": PLAIN_TOKEN}) == {
        "argv": ["curl", "-H [redacted:K]"],
        "[redacted:K]": {"n": 1, "ok": True, "none": None},
    }


def test_text_that_is_no_unicode_survives():
    assert redact_text("\ud800 x", {"K": PLAIN_TOKEN}) == "\ud800 x"
    assert swallowed([b"\xff\xfe\x00", b"\x80"], {"K": PLAIN_TOKEN}) == b"\xff\xfe\x00\x80"


def test_twenty_canaries_in_one_stream_are_all_found():
    secrets = {
        f"CANARY_{number}": f"canary-{number:02}-{base64.b32encode(bytes([number] * 10)).decode()}"
        for number in range(20)
    }
    text = "\n".join(
        f"{name} {spell(value)}" for name, value in secrets.items() for spell in SPELLINGS.values()
    ).encode()

    found = swallowed([text[at : at + 4096] for at in range(0, len(text), 4096)], secrets)

    for value in secrets.values():
        assert leaks(found, value) == []


LETTERS = string.ascii_letters + string.digits + " \n\\/%+=\"'{}nrtué-_"
words = st.text(LETTERS, max_size=30)
values = st.text(LETTERS, min_size=8, max_size=40).filter(redaction.is_found)
spelled = st.lists(st.tuples(words, st.sampled_from(sorted(SPELLINGS))))


def pieces(data, cuts):
    return [data[start:end] for start, end in itertools.pairwise([0, *sorted(cuts), max([len(data), *cuts])])]


@settings(max_examples=200, deadline=None)
@given(value=values, parts=spelled, cuts=st.lists(st.integers(0, 400)))
def test_no_cut_and_no_neighbour_lets_a_value_through(value, parts, cuts):
    text = "".join(word + SPELLINGS[spelling](value) for word, spelling in parts).encode()

    assert leaks(swallowed(pieces(text, cuts), {"K": value}), value) == []


@settings(max_examples=200, deadline=None)
@given(text=words, cuts=st.lists(st.integers(0, 30)))
def test_a_text_without_secrets_comes_out_as_it_went_in(text, cuts):
    assert swallowed(pieces(text.encode(), cuts), {"K": "Q" * 12}) == text.encode()


@settings(max_examples=200, deadline=None)
@given(value=values, before=words, after=words, stop=st.integers(0, 200))
def test_a_stream_taken_up_again_where_it_was_stored_lets_nothing_through(value, before, after, stop):
    text = (before + value + after).encode()
    first, second = Redactor({"K": value}), Redactor({"K": value})
    stored = first.feed(text[:stop])
    offset = len(text[:stop]) - first.pending

    stored += second.feed(text[offset:]) + second.flush()

    assert leaks(stored, value) == [] or b"\n" in text[:stop]
