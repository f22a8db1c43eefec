from __future__ import annotations

import pytest

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors.table import DETECTORS, detectors_named
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.text.topics import NO_TOPICS, Topic, Topics


def redacted(name: str, text: str, topics: Topics = NO_TOPICS) -> str:
    return Redactor(detectors_named([name])).text(text, topics)


FOUND = [
    ("us_ssn", "ssn 123-45-6789.", "ssn [REDACTED:us_ssn]."),
    ("us_ssn", "123 45 6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123.45.6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "is 123456789 ok", "is [REDACTED:us_ssn] ok"),
    ("us_ssn", "SSN123456789", "SSN[REDACTED:us_ssn]"),
    ("us_ssn", "a123-45-6789b", "a[REDACTED:us_ssn]b"),
    ("us_ssn", "123-45-6789,234-56-7890", "[REDACTED:us_ssn],[REDACTED:us_ssn]"),
    ("us_ssn", "000-12-3456 078-05-1120", "000-12-3456 [REDACTED:us_ssn]"),
    ("us_ssn", "123\u201345\u20136789", "[REDACTED:us_ssn]"),
    ("us_ssn", "123\u00ad-45-\u200b6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "\uff11\uff12\uff13-\u0664\u0665-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "1\\u00323-45-6789", "[REDACTED:us_ssn]"),
    ("us_ssn", "x\\n123456789", "x\\n[REDACTED:us_ssn]"),
    ("us_ssn", "%123-45-6789", "%[REDACTED:us_ssn]"),
    ("us_ssn", "ssn=123%2D45%2D6789", "ssn=[REDACTED:us_ssn]"),
    ("us_ssn", "123&#45;45&#x2d;6789", "[REDACTED:us_ssn]"),
    ("credit_card", "card 4111 1111 1111 1111 12/27", "card [REDACTED:credit_card] 12/27"),
    ("credit_card", "5500-0000-0000-0004", "[REDACTED:credit_card]"),
    ("credit_card", "340000000000009", "[REDACTED:credit_card]"),
    ("credit_card", "12 4111111111111111", "12 [REDACTED:credit_card]"),
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
    ("secrets", "aws_secret_access_key=" + "a1/+" * 10, "[REDACTED:secrets]"),
    ("secrets", "x ghp_" + "a1" * 18, "x [REDACTED:secrets]"),
    ("secrets", "github_pat_" + "a1" * 20, "[REDACTED:secrets]"),
    ("secrets", "xoxb-" + "1234567890-abc", "[REDACTED:secrets]"),
    ("secrets", "Authorization: Bearer abcdefghijklmnop.qrs=", "Authorization: [REDACTED:secrets]"),
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
    ("us_ssn", "INV123456789"),
    ("us_ssn", "12345678"),
    ("us_ssn", "550e8400-e29b-41d4-a716-446655440000"),
    ("credit_card", "4111 1111 1111 1112"),
    ("credit_card", "1700000000000"),
    ("credit_card", "0000000000000000"),
    ("iban", "DE89 3704 0044 0532 0130 01"),
    ("iban", "XDE89370400440532013000"),
    ("email", "user@localhost"),
    ("phone", "1700000000"),
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
    ("name", "topic", "text"),
    [
        ("us_ssn", Topic.SSN, "12345678"),
        ("date_of_birth", Topic.BIRTH, "1980-01-02"),
        ("date_of_birth", Topic.BIRTH, "1980"),
        ("date_of_birth", Topic.BIRTH, "315532800"),
        ("phone", Topic.PHONE, "4155552671"),
    ],
)
def test_a_key_widens_what_counts(name: str, topic: Topic, text: str) -> None:
    assert redacted(name, text) == text
    assert redacted(name, text, frozenset({topic})) == f"[REDACTED:{name}]"


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_marker_is_not_redacted_again(name: str) -> None:
    text = " ".join(f"dob [REDACTED:{other}]" for other in DETECTORS)
    assert redacted(name, text, frozenset(Topic)) == text


def test_an_unknown_detector_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        detectors_named(["us_ssn", "shoe_size"])
    assert refused.value.reason is Reason.OBLIGATION_UNKNOWN


def test_overlapping_matches_become_one_marker() -> None:
    redactor = Redactor(detectors_named(["us_ssn", "phone"]))
    assert redactor.text("+1 123-45-6789; 9") == "[REDACTED:phone]; 9"
    assert redactor.counts == {"phone": 1}


@pytest.mark.parametrize("text", ["\\" * 200_000, "1-" * 100_000, "%41" * 50_000, "born 1.1.1980 " * 5_000])
def test_hostile_texts_take_no_longer_than_their_length_warrants(text: str) -> None:
    # a quadratic detector would not come back within the test run
    Redactor(detectors_named(DETECTORS)).text(text)
