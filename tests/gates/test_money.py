"""Money is whole minor units: nothing is lost by splitting, and each currency is shown in its own decimals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.money import MixedCurrencies, Money, display, exponent, split

AMOUNTS = st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=40)
@given(AMOUNTS, st.integers(1, 500))
def test_split_keeps_the_total_and_is_even(minor, parts):
    shares = split(minor, parts)

    assert (sum(shares), len(shares)) == (minor, parts)
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("parts", [0, -1])
def test_split_into_nothing_is_refused(parts):
    with pytest.raises(ValueError, match="one part at least"):
        split(100, parts)


@settings(max_examples=40)
@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_adding_is_exact_and_in_any_order(a, b, c):
    one, two, three = (Money(minor, "eur") for minor in (a, b, c))

    assert (one + two) + three == one + (two + three) == Money(a + b + c, "eur")
    assert (one < two) is (a < b)


def test_currencies_do_not_mix():
    with pytest.raises(MixedCurrencies):
        Money(1, "eur") + Money(1, "usd")
    with pytest.raises(MixedCurrencies):
        assert Money(1, "eur") < Money(2, "usd")


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (120450, "usd", "1,204.50 USD"), (5, "eur", "0.05 EUR"), (-5, "eur", "-0.05 EUR"), (0, "gbp", "0.00 GBP"),
        (980, "jpy", "980 JPY"), (1234567, "krw", "1,234,567 KRW"), (1000, "vnd", "1,000 VND"),
        (1500, "kwd", "1.500 KWD"), (1, "bhd", "0.001 BHD"), (12340, "jod", "12.340 JOD"), (10, "omr", "0.010 OMR"),
        (10, "tnd", "0.010 TND"),
        (50000, "isk", "500.00 ISK"), (500, "ugx", "5.00 UGX"),
        (7, "xyz", "7 minor units of XYZ"), (7, "", "7 minor units of an unknown currency"), (None, "usd", "-"),
        (2**63 - 1, "usd", "92,233,720,368,547,758.07 USD"),
    ],
)  # fmt: skip
def test_display(minor, currency, shown):
    assert display(minor, currency) == shown


@pytest.mark.parametrize(
    ("currency", "places"),
    [("jpy", 0), ("JPY", 0), ("krw", 0), ("vnd", 0), ("kwd", 3), ("bhd", 3), ("jod", 3), ("omr", 3), ("tnd", 3),
     ("isk", 2), ("ugx", 2), ("usd", 2), ("xyz", None), ("", None)],
)  # fmt: skip
def test_exponents(currency, places):
    assert exponent(currency) == places


@settings(max_examples=40)
@given(AMOUNTS, st.sampled_from(["usd", "jpy", "kwd", "isk"]))
def test_what_is_shown_is_the_amount_to_the_unit(minor, currency):
    digits = display(minor, currency).rpartition(" ")[0].replace(",", "").replace(".", "")

    assert int(digits) == minor
