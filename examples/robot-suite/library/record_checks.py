"""What a sound customer record is: plain functions that take a value and return what is wrong with it, or nothing."""

import re
from collections.abc import Mapping

POSTAL_CODES: Mapping[str, str] = {
    "AT": r"[1-9]\d{3}",
    "BE": r"[1-9]\d{3}",
    "DE": r"\d{5}",
    "FR": r"\d{5}",
    "NL": r"[1-9]\d{3} [A-Z]{2}",
}
VAT_IDS: Mapping[str, str] = {
    "AT": r"ATU\d{8}",
    "BE": r"BE[01]\d{9}",
    "DE": r"DE\d{9}",
    "FR": r"FR[0-9A-HJ-NP-Z]{2}\d{9}",
    "NL": r"NL\d{9}B\d{2}",
}
IBAN_LENGTHS: Mapping[str, int] = {"AT": 20, "BE": 16, "DE": 22, "FR": 27, "NL": 18}
_EMAIL = re.compile(r"[^@\s]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
REQUIRED = ("customer", "name", "street", "postal code", "city", "country")


def problems_of(record: Mapping[str, str]) -> list[str]:
    """Return everything that is wrong with a record, a sentence each."""
    country = record["country"]
    if country not in POSTAL_CODES:
        return [f"country: '{country}' is none of {', '.join(POSTAL_CODES)}."]
    found = [f"{field}: is empty." for field in REQUIRED if not record[field].strip()]
    checks = (
        postal_code_problem(record["postal code"], country),
        vat_id_problem(record["vat id"], country),
        iban_problem(record["iban"]),
        email_problem(record["email"]),
        phone_problem(record["phone"]),
    )
    return found + [problem for problem in checks if problem]


def postal_code_problem(code: str, country: str) -> str:
    """Check the form that a country's postal codes have."""
    if re.fullmatch(POSTAL_CODES[country], code):
        return ""
    return f"postal code: '{code}' is no postal code of {country}."


def vat_id_problem(vat_id: str, country: str) -> str:
    """Check the form that a country's VAT identification numbers have (not whether one was given out)."""
    if re.fullmatch(VAT_IDS[country], vat_id):
        return ""
    return f"vat id: '{vat_id}' is no VAT id of {country}."


def iban_problem(iban: str) -> str:
    """Check an account number's length and check digits (ISO 13616; ISO 7064 MOD 97-10)."""
    plain = iban.replace(" ", "")
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]+", plain) or plain[:2] not in IBAN_LENGTHS:
        return f"iban: '{iban}' is no IBAN of a country that we know."
    wanted = IBAN_LENGTHS[plain[:2]]
    if len(plain) != wanted:
        return f"iban: '{iban}' has {len(plain)} characters; one of {plain[:2]} has {wanted}."
    digits = "".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])
    return (
        "" if int(digits) % 97 == 1 else f"iban: the check digits of '{iban}' do not fit; a digit is wrong."
    )


def email_problem(address: str) -> str:
    """Check that a mail address has the form of one."""
    return "" if _EMAIL.fullmatch(address) else f"email: '{address}' is no mail address."


def phone_problem(number: str) -> str:
    """Check that a phone number can be dialled from anywhere (ITU-T E.164)."""
    if _PHONE.fullmatch(number):
        return ""
    return f"phone: '{number}' is not in international form, such as +49301234567."
