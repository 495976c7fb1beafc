"""Which region a customer is in, by its country. Pure."""

from gates.rules import tax

AMERICAS = frozenset(
    (
        "AG AI AR AW BB BM BO BR BS BZ CA CL CO CR CU DM DO EC GD GT GY HN HT JM KN KY LC MX NI PA PE PR PY SR SV TT "
        "US UY VC VE"
    ).split()
)
ASIA_PACIFIC = frozenset(
    "AU BD BN BT CN FJ HK ID IN JP KH KR LA LK MM MN MO MV MY NP NZ PG PH PK SG TH TL TW VN".split()
)
REGIONS = {"amer": "Americas", "apac": "Asia and Pacific", "emea": "Europe, Middle East, Africa"}


def region_of(country: str) -> str:
    """`amer`, `apac` or `emea` of a country by name or code; "" where it is not known."""
    words = country.strip().upper()
    code = words if len(words) == 2 else tax.country_code(country)
    if not (len(code) == 2 and code.isascii() and code.isalpha()):
        return ""
    if code in AMERICAS:
        return "amer"
    return "apac" if code in ASIA_PACIFIC else "emea"
