"""Tax registrations: how the common countries write theirs. Formats only; whether one is in force nobody here knows."""

import re

# ISO country -> the registration without blanks, dots, dashes and slashes, in capitals; the prefix may be left out.
FORMATS = {
    "AT": r"(?:AT)?U\d{8}", "BE": r"(?:BE)?[01]\d{9}", "BG": r"(?:BG)?\d{9,10}", "CY": r"(?:CY)?\d{8}[A-Z]",
    "CZ": r"(?:CZ)?\d{8,10}", "DE": r"(?:DE)?\d{9}", "DK": r"(?:DK)?\d{8}", "EE": r"(?:EE)?\d{9}",
    "ES": r"(?:ES)?[A-Z0-9]\d{7}[A-Z0-9]", "FI": r"(?:FI)?\d{8}", "FR": r"(?:FR)?[A-Z0-9]{2}\d{9}",
    "GR": r"(?:EL|GR)?\d{9}", "HR": r"(?:HR)?\d{11}", "HU": r"(?:HU)?\d{8}",
    "IE": r"(?:IE)?\d[A-Z0-9+*]\d{5}[A-Z]{1,2}",
    "IT": r"(?:IT)?\d{11}", "LT": r"(?:LT)?(?:\d{9}|\d{12})", "LU": r"(?:LU)?\d{8}", "LV": r"(?:LV)?\d{11}",
    "MT": r"(?:MT)?\d{8}", "NL": r"(?:NL)?\d{9}B\d{2}", "PL": r"(?:PL)?\d{10}", "PT": r"(?:PT)?\d{9}",
    "RO": r"(?:RO)?\d{2,10}", "SE": r"(?:SE)?\d{12}", "SI": r"(?:SI)?\d{8}", "SK": r"(?:SK)?\d{10}",
    "GB": r"(?:GB|XI)?(?:\d{9}|\d{12}|GD\d{3}|HA\d{3})", "CH": r"(?:CHE)?\d{9}(?:MWST|TVA|IVA)?",
    "NO": r"(?:NO)?\d{9}(?:MVA)?", "US": r"(?:EIN)?\d{9}", "CA": r"\d{9}(?:R[TCP]\d{4})?", "AU": r"(?:ABN)?\d{11}",
    "NZ": r"\d{8,9}", "JP": r"T?\d{13}", "IN": r"\d{2}[A-Z]{5}\d{4}[A-Z][0-9A-Z]Z[0-9A-Z]", "BR": r"\d{14}",
    "SG": r"\d{8,9}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z]", "MX": r"[A-Z&Ñ]{3,4}\d{6}[A-Z0-9]{3}",
}  # fmt: skip
PREFIXES = {"EL": "GR", "XI": "GB", "CHE": "CH"}
NAMES = {
    "austria": "AT", "österreich": "AT", "belgium": "BE", "belgië": "BE", "belgique": "BE", "bulgaria": "BG",
    "cyprus": "CY", "czech republic": "CZ", "czechia": "CZ", "germany": "DE", "deutschland": "DE", "denmark": "DK",
    "danmark": "DK", "estonia": "EE", "spain": "ES", "españa": "ES", "finland": "FI", "suomi": "FI", "france": "FR",
    "greece": "GR", "croatia": "HR", "hungary": "HU", "ireland": "IE", "italy": "IT", "italia": "IT",
    "lithuania": "LT", "luxembourg": "LU", "latvia": "LV", "malta": "MT", "netherlands": "NL", "the netherlands": "NL",
    "nederland": "NL", "poland": "PL", "polska": "PL", "portugal": "PT", "romania": "RO", "sweden": "SE",
    "sverige": "SE", "slovenia": "SI", "slovakia": "SK", "united kingdom": "GB", "great britain": "GB", "uk": "GB",
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "switzerland": "CH", "schweiz": "CH",
    "suisse": "CH", "norway": "NO", "norge": "NO", "united states": "US", "united states of america": "US",
    "usa": "US", "canada": "CA", "australia": "AU", "new zealand": "NZ", "japan": "JP", "india": "IN", "brazil": "BR",
    "brasil": "BR", "singapore": "SG", "mexico": "MX", "méxico": "MX",
}  # fmt: skip
_NOISE = re.compile(r"[\s.\-/]+")
_PREFIX = re.compile(r"[A-Z]{2,3}")
MOST = 60


def tidy(number: str) -> str:
    """A registration as it is compared and sent: capitals, without blanks, dots, dashes and slashes."""
    return _NOISE.sub("", number).upper()


def country_code(words: str) -> str:
    """The ISO code of a country in words or as a code; "" for one that is not among the common ones."""
    plain = " ".join(words.split()).casefold()
    return plain.upper() if plain.upper() in FORMATS else NAMES.get(plain, "")


def country_of(number: str, country: str) -> str:
    """Whose registration this is: the country its own prefix names, else the one of the address; "" if unknown.

    A company with its seat in one country may well be registered for tax in another.
    """
    found = _PREFIX.match(tidy(number))
    if found:
        for length in (3, 2):
            prefix = found[0][:length]
            code = PREFIXES.get(prefix, prefix)
            if code in FORMATS and re.fullmatch(FORMATS[code], tidy(number)):
                return code
    return country_code(country)


def fault(number: str, country: str) -> str:
    """What is wrong with a registration, as a clause; empty when nothing is. Without a format, being there does."""
    if not number.strip():
        return "is missing"
    plain = tidy(number)
    if len(plain) < 2 or len(plain) > MOST or not any(char.isdigit() for char in plain):
        return "is not a registration number"
    code = country_of(number, country)
    if code and not re.fullmatch(FORMATS[code], plain):
        return f"does not have the form that {code} uses"
    return ""
