"""Money: integer minor units with a lower-case ISO 4217 currency, never a floating point number."""

import re
from dataclasses import dataclass

# Currencies whose minor unit is not a hundredth (ISO 4217). The billing provider's special cases are
# ISK and UGX: two-decimal on its wire for compatibility although the currency itself has no decimals.
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
TWO_DECIMAL = frozenset(
    """aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf cny
    cop crc cup cve czk dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl htg huf idr ils
    inr iqd irr isk jmd kes kgs khr kpw kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mru mur mvr mwk mxn myr
    mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sdg sek sgd shp sle sos srd
    ssp std stn svc syp szl thb tjs tmt top try ttd twd tzs uah ugx usd uyu uzs ves wst xcd xcg yer zar zmw
    zwg""".split()
)

# What the billing wire takes is coarser than the currency's exponent for some: three-decimal amounts end in 0, and
# ISK and UGX have no decimals although they are counted in hundredths.
STEPS = {**dict.fromkeys(THREE_DECIMAL, 10), "isk": 100, "ugx": 100}

_SHOWN = re.compile(
    r"(?P<sign>-?)(?P<whole>[0-9]{1,19}|[0-9]{1,3}(?:,[0-9]{3}){1,6})(?:\.(?P<part>[0-9]{1,3}))? (?P<code>[A-Za-z]{3})"
)


class MixedCurrencies(ValueError):
    """Amounts of two currencies were about to be added or compared."""


class BadAmount(ValueError):
    """A text is no amount of a currency that is known; says what is wrong."""


def exponent(currency: str) -> int | None:
    """Decimals of a currency as the billing wire counts them; None for a code nobody knows (goes to a person)."""
    code = currency.lower()
    if code in TWO_DECIMAL:
        return 2
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of one currency."""

    minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor < other.minor

    def __str__(self) -> str:
        return display(self.minor, self.currency)

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise MixedCurrencies(f"{self.currency} and {other.currency} cannot be added or compared")


def display(minor: int | None, currency: str) -> str:
    """An amount for people, in the currency's own decimals: `1,204.50 USD`, `980 JPY`; "-" when there is none."""
    if minor is None:
        return "-"
    places = exponent(currency)
    if places is None:
        return f"{minor} minor units of {currency.upper() or 'an unknown currency'}"
    sign, digits = ("-" if minor < 0 else ""), abs(minor)
    if places == 0:
        return f"{sign}{digits:,} {currency.upper()}"
    whole, part = divmod(digits, 10**places)
    return f"{sign}{whole:,}.{part:0{places}d} {currency.upper()}"


def parse(text: str) -> Money:
    """What `display` shows, read back: `1,204.50 USD` (or `1204.50 usd`), `980 JPY`. Raises BadAmount.

    All decimals of the currency are written out: what may be read in two ways is not read at all.
    """
    found = _SHOWN.fullmatch(text.strip())
    if found is None:
        raise BadAmount("an amount is written like 1,204.50 USD or 980 JPY")
    currency, part = found["code"].lower(), found["part"] or ""
    places = exponent(currency)
    if places is None:
        raise BadAmount(f"{found['code'].upper()} is not a currency we know")
    if len(part) != places:
        raise BadAmount(f"{currency.upper()} is written with {places} decimals, this has {len(part)}")
    return Money(int(found["sign"] + found["whole"].replace(",", "") + part), currency)


def is_payable(minor: int, currency: str) -> bool:
    """Whether the billing wire takes this amount: of a known currency, above 0, in its smallest steps."""
    return exponent(currency) is not None and minor > 0 and minor % STEPS.get(currency.lower(), 1) == 0


def split(minor: int, parts: int) -> list[int]:
    """Divide an amount into `parts` shares that add up exactly; the first shares carry the remainder.

    Raises ValueError when `parts` is below one.
    """
    if parts < 1:
        raise ValueError("an amount is split into one part at least")
    share, rest = divmod(minor, parts)
    return [share + (1 if index < rest else 0) for index in range(parts)]
