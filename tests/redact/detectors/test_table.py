from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors import social_security
from aegis_authz.redact.detectors.proofs import is_issued, is_longer
from aegis_authz.redact.detectors.table import DETECTORS, detectors_named
from aegis_authz.redact.finder import Finder
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.sanitizer import unhurried
from aegis_authz.redact.text.pattern import touches_word


def redactor_of(*names: str, is_loose: bool = False) -> Redactor:
    return Redactor(Finder(detectors_named(names), is_loose=is_loose, tick=unhurried), numbers=False)


def redacted(name: str, text: str, is_loose: bool = False) -> str:
    return redactor_of(name, is_loose=is_loose).text(text.encode()).decode()


FOUND = [
    ("us_ssn", "[REDACTED:email] ssn 123456789", "[REDACTED:email] ssn [REDACTED:us_ssn]"),
    ("us_ssn", "[REDACTED:email]ssn 123456789", "[REDACTED:email]ssn [REDACTED:us_ssn]"),
    ("date_of_birth", "[REDACTED:email] born 1/1/80", "[REDACTED:email] born [REDACTED:date_of_birth]"),
    ("date_of_birth", "Name REDACTED: born 1/1/80", "Name REDACTED: born [REDACTED:date_of_birth]"),
    ("us_ssn", '{"name":"REDACTED:","ssn":123456789}', '{"name":"REDACTED:","ssn":[REDACTED:us_ssn]}'),
    ("us_ssn", "ssn 123-45-6789.", "ssn [REDACTED:us_ssn]."),
    ("us_ssn", "SSN: 123 45 6789", "SSN: [REDACTED:us_ssn]"),
    ("us_ssn", "social security number is 123.45.6789", "social security number is [REDACTED:us_ssn]"),
    ("us_ssn", "tax id 123/45/6789 ok", "tax id [REDACTED:us_ssn] ok"),
    ("us_ssn", "ssn is 123456789 ok", "ssn is [REDACTED:us_ssn] ok"),
    ("us_ssn", "123-45-\n6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123 - 45 - 6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "12<b>3-45</b>-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123%252D45%252D6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123&amp;#45;45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "1\\x323-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "MTIzLTQ1LTY3ODkgaXMgaXQ=", "[REDACTED:us_ssn]"),
    ("us_ssn", "data:text/plain;base64,c3NuIDEyMy00NS02Nzg5", "data:text/plain;base64,[REDACTED:us_ssn]"),
    ("us_ssn", "&#49&#50&#51-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "&#0000049;23-45-&#x0036;789", "[REDACTED:us_ssn]"),
    ("us_ssn", "ssn 123\u00b745\u00b76789", "ssn [REDACTED:us_ssn]"),
    ("us_ssn", "\\u{31}\\u{032}3-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123-45\\u0000-67%0089", "[REDACTED:us_ssn]"),
    ("us_ssn", '123<span title="a>b">-45-</span>6789', "[REDACTED:us_ssn]"),
    ("us_ssn", "123<b title=it's>-45-</b>6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123<!-- a > b < c - d -->-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123-45-<br/>6789 123-45-<BR>6789", "[REDACTED:us_ssn] [REDACTED:us_ssn]"),
    ("us_ssn", "<tspan>123</tspan><tspan>-45-6789</tspan>", "<tspan>[REDACTED:us_ssn]</tspan>"),
    ("us_ssn", "<![CDATA[123-45-]]><![CDATA[6789]]>", "<![CDATA[[REDACTED:us_ssn]]]>"),
    ("us_ssn", "123<?x y?>-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "ZEdobElITnpiaUJwY3lBeE1qTXRORFV0TmpjNE9TQnZhdz09", "[REDACTED:us_ssn]"),
    ("us_ssn", "SSN123456789", "SSN[REDACTED:us_ssn]"),
    ("us_ssn", "a123-45-6789b", "a[REDACTED:us_ssn]b"),
    ("us_ssn", "123-45-6789,234-56-7890", "[REDACTED:us_ssn],[REDACTED:us_ssn]"),
    ("us_ssn", "000-12-3456 078-05-1120", "000-12-3456 [REDACTED:us_ssn]"),
    ("us_ssn", "123\u201345\u20136789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123\u00ad-45-\u200b6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "\uff11\uff12\uff13-\u0664\u0665-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "1\\u00323-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "ssn\\n123456789", "ssn\\n[REDACTED:us_ssn]"),
    ("us_ssn", "%123-45-6789", "%[REDACTED:us_ssn]"),
    ("us_ssn", "ssn=123%2D45%2D6789", "ssn=[REDACTED:us_ssn]"),
    ("us_ssn", "123&#45;45&#x2d;6789", "[REDACTED:us_ssn]"),
    ("credit_card", "card 4111 1111 1111 1111 12/27", "card [REDACTED:credit_card] 12/27"),
    ("credit_card", "5500-0000-0000-0004", "[REDACTED:credit_card]"),
    ("credit_card", "340000000000009", "[REDACTED:credit_card]"),
    ("credit_card", "12 4111111111111111", "12 [REDACTED:credit_card]"),
    ("credit_card", "4111.1111.1111.1111", "[REDACTED:credit_card]"),
    ("credit_card", "4111/1111/1111/1111", "[REDACTED:credit_card]"),
    ("credit_card", "4111  1111  1111  1111", "[REDACTED:credit_card]"),
    ("credit_card", "4111\t1111\t1111\t1111", "[REDACTED:credit_card]"),
    ("credit_card", "4111\r\n1111\r\n1111\r\n1111", "[REDACTED:credit_card]"),
    ("credit_card", "3400 000000 00009", "[REDACTED:credit_card]"),
    ("credit_card", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[REDACTED:credit_card]"),
    ("credit_card", "41 11 11 11 11 11 11 11", "[REDACTED:credit_card]"),
    ("iban", "to DE89 3704 0044 0532 0130 00 and on", "to [REDACTED:iban] and on"),
    ("iban", "gb82west12345698765432", "[REDACTED:iban]"),
    ("email", "mail jo.do+x@mail.example.org now", "mail [REDACTED:email] now"),
    ("email", "jo%40example.org", "[REDACTED:email]"),
    ("email", "j\u00f6rg@example.org", "[REDACTED:email]"),
    ("phone", "call +49 (30) 1234-5678", "call [REDACTED:phone]"),
    ("phone", "(415) 555-2671", "[REDACTED:phone]"),
    ("phone", "415-555-2671", "[REDACTED:phone]"),
    ("phone", "1-415-555-2671", "[REDACTED:phone]"),
    ("date_of_birth", "born 1980-02-29", "born [REDACTED:date_of_birth]"),
    ("date_of_birth", "DOB: 03/14/1980", "DOB: [REDACTED:date_of_birth]"),
    ("date_of_birth", "D.O.B. 14.3.80", "D.O.B. [REDACTED:date_of_birth]"),
    ("date_of_birth", "patient_dob=19800314", "patient_dob=[REDACTED:date_of_birth]"),
    ("date_of_birth", "patientDob: 14 March 1980", "patientDob: [REDACTED:date_of_birth]"),
    ("date_of_birth", "March 14th, 1980 is her date of birth", "[REDACTED:date_of_birth] is her date of birth"),
    ("date_of_birth", '{"birthDate":"1980-03-14"}', '{"birthDate":"[REDACTED:date_of_birth]"}'),
    ("secrets", "AKIAIOSFODNN7EXAMPLE", "[REDACTED:secrets]"),
    ("secrets", "aws_secret_access_key=" + "a1/+" * 10, "aws_secret_access_key=[REDACTED:secrets]"),
    ("secrets", "x ghp_" + "a1" * 18, "x [REDACTED:secrets]"),
    ("secrets", "github_pat_" + "a1" * 20, "[REDACTED:secrets]"),
    ("secrets", "xoxb-" + "1234567890-abc", "[REDACTED:secrets]"),
    ("secrets", "Authorization: Bearer abcdefghijklmnop.qrs=", "Authorization: Bearer [REDACTED:secrets]"),
    ("secrets", "eyJhbGciOiJub25l.eyJzdWIiOiJ4In0.", "[REDACTED:secrets]"),
    ("secrets", "a -----BEGIN PRIVATE KEY-----\nMC4\n-----END PRIVATE KEY----- b", "a [REDACTED:secrets] b"),
    ("secrets", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb", "[REDACTED:secrets]"),
]

LEFT = [
    ("us_ssn", "000-12-3456"),
    ("us_ssn", "666-12-3456"),
    ("us_ssn", "900-12-3456"),
    ("us_ssn", "123-00-6789"),
    ("us_ssn", "123-45-0000"),
    ("us_ssn", "1234567890"),
    ("us_ssn", "123456789"),
    ("us_ssn", "123 45 6789"),
    ("us_ssn", "PO-2024-11-0042"),
    ("us_ssn", '{"ssn": null, "n": "123456789"}'),
    ("us_ssn", "INV123456789"),
    ("us_ssn", "12345678"),
    ("us_ssn", "550e8400-e29b-41d4-a716-446655440000"),
    ("credit_card", "4111 1111 1111 1112"),
    ("credit_card", "1700000000000"),
    ("credit_card", "0.4111111111111111"),
    ("credit_card", "4111 1111 1111 1111 1111 1111"),
    ("credit_card", "a4111111111111111"),
    ("credit_card", "8111111111111115"),
    ("credit_card", "0000000000000000"),
    ("iban", "DE89 3704 0044 0532 0130 01"),
    ("iban", "XDE89370400440532013000"),
    ("email", "user@localhost"),
    ("email", "https://user@host.example/x"),
    ("email", "https://user:word@host.example/x"),
    ("email", "git@github.com:acme/app.git"),
    ("email", "ssh://git@host.example/acme"),
    ("email", "logo@2x.png"),
    ("email", "pkg@1.2.3"),
    ("email", "getty@tty1.service"),
    ("phone", "1700000000"),
    ("phone", "+40.7128-074.0060/"),
    ("phone", "+1.2345678"),
    ("phone", "10.2.415.555.2671"),
    ("phone", "550e8400-e29b-41d4-a716-446655440000"),
    ("date_of_birth", "seen on 2024-05-05"),
    ("date_of_birth", "born 1980-13-32"),
    ("date_of_birth", "birth" + " " * 80 + "1980-01-02"),
    ("date_of_birth", "Adobe 2024-05-05"),
    ("secrets", "the bearer of this"),
    ("secrets", "AKIA"),
]


@pytest.mark.parametrize(("name", "text", "expected"), FOUND)
def test_what_a_detector_looks_for_is_replaced(name: str, text: str, expected: str) -> None:
    assert redacted(name, text) == expected


@pytest.mark.parametrize(("name", "text"), LEFT)
def test_what_only_resembles_it_is_left(name: str, text: str) -> None:
    assert redacted(name, text) == text


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("us_ssn", "ssn", "12345678"),
        ("us_ssn", "patientSsn", "123456789"),
        ("date_of_birth", "dob", "1980-01-02"),
        ("date_of_birth", "birthYear", "1980"),
        ("date_of_birth", "dateOfBirth", "315532800"),
        ("phone", "phone_number", "4155552671"),
        ("phone", "mobile", "0171 2345678"),
    ],
)
def test_a_key_widens_what_counts(name: str, key: str, value: str) -> None:
    for text in ('{"%s":"%s"}', '{"%s" : "%s"}', "%s=%s&a=b", "%s: %s", '{\\"%s\\":\\"%s\\"}'):
        assert redacted(name, text % ("n", value)) == text % ("n", value)
        assert redacted(name, text % (key, value)) == text % (key, f"[REDACTED:{name}]")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("us_ssn", "123 45 6789", "[REDACTED:us_ssn]"),
        ("us_ssn", "is 123.45.6789 ok", "is [REDACTED:us_ssn] ok"),
        ("us_ssn", "123456789", "123456789"),
        ("us_ssn", "1 123 45 6789 2", "1 123 45 6789 2"),
        ("secrets", "api_key = 'a1b2c3d4e5f6g7h8'", "api_key = '[REDACTED:secrets]'"),
        ("secrets", "password: correcthorsebattery", "password: correcthorsebattery"),
    ],
)
def test_loose_rules_find_what_mostly_is_a_value(name: str, text: str, expected: str) -> None:
    assert redacted(name, text, is_loose=True) == expected


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_marker_is_not_redacted_again(name: str) -> None:
    text = " ".join(f"dob [REDACTED:{other}] 123456789" for other in DETECTORS)
    assert redacted(name, text) == text


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        detectors_named(["us_ssn", "shoe_size"])
    assert refused.value.reason is Reason.OBLIGATION_UNKNOWN


def test_overlapping_matches_become_one_marker() -> None:
    redactor = redactor_of("us_ssn", "phone")
    assert redactor.text(b"+1 123-45-6789; 9") == b"[REDACTED:phone]; 9"
    assert redactor.counts == {"phone": 1}


GROUPS = st.lists(
    st.sampled_from(("123", "45", "6789", "000", "666", "9", "00", "0000", "-", " -", "- ", " ", ".", "/ ", "a", "1")),
    max_size=12,
).map(lambda parts: "".join(parts).encode())


@given(GROUPS)
def test_one_look_at_a_social_security_number_says_what_its_proofs_say(text: bytes) -> None:
    for start, end in social_security._SSN_DASHED.spans(text):
        proven = is_issued(text[start:end]) and not is_longer(text, start, end, b"-")
        assert (social_security._ISSUED.match(text, start) is not None) is proven
    for start, end in social_security._SSN_SPACED.spans(text):
        proven = is_issued(text[start:end]) and not touches_word(text, start, end)
        assert (social_security._ISSUED_APART.match(text, start) is not None) is proven
