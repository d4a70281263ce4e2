"""Equal values give equal bytes, on every machine and for ever."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.canonical import CanonicalError, canonical_json, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_bytes_are_json_whose_value_gives_the_same_bytes_again(value):
    try:
        written = canonical_json(value)
    except CanonicalError:
        assert "\\ud" in json.dumps(value)
        return
    assert canonical_json(json.loads(written)) == written


@given(st.dictionaries(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(), max_size=6))
def test_the_order_in_which_keys_were_added_does_not_matter(value):
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (333333333.33333329, "333333333.3333333"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (-0.0, "0"),
        (1.0, "1"),
        (2**64, "18446744073709551616"),
    ],
)
def test_numbers_are_written_as_the_standard_says(number, written):
    assert canonical_json(number).decode() == written


def test_keys_are_sorted_by_their_utf_16_units_as_the_standard_says():
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = json.loads(canonical_json(dict.fromkeys(keys, 0)), object_pairs_hook=lambda pairs: [k for k, _ in pairs])
    assert written == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: "a"}, b"bytes", {1, 2}, "\ud800", object()])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(CanonicalError):
        canonical_json(value)


def test_a_value_nested_without_end_is_refused():
    value: list = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(CanonicalError):
        canonical_json(value)


def test_digests_of_one_value_differ_between_domains():
    assert digest("ccdash-plan-v1", {"a": 1}) != digest("ccdash-approval-v1", {"a": 1})
    assert digest("ccdash-plan-v1", {"a": 1}) == digest("ccdash-plan-v1", {"a": 1})
