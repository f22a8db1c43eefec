"""Comments that silence a code."""

from __future__ import annotations

import pytest

from tests.support.linting import MCP, TOOL, codes, document, findings

RULE = 'allowed_tools:\n{}  - name: stripe-payments{}\n    actions: ["*"]\n'


def _rule(above: str = "", behind: str = "") -> str:
    return document(RULE.format(above, behind))


@pytest.mark.parametrize(
    ("above", "behind"),
    [
        ("  # aegis: allow allow-everything\n", ""),
        ("", "  # aegis: allow allow-everything"),
        ("#aegis:allow allow-everything\n", ""),
        ("  # aegis: allow allow-everything: a sandbox (SEC-12)\n  # of two lines\n", ""),
    ],
)
def test_a_comment_on_the_line_or_above_silences(above: str, behind: str) -> None:
    assert codes(_rule(above, behind)) == []


def test_a_comment_two_lines_above_silences_nothing() -> None:
    text = _rule().replace("allowed_tools:", "# aegis: allow allow-everything\nallowed_tools:")
    assert codes(text) == ["unused-silence", "allow-everything"]


def test_a_comment_behind_the_line_above_is_about_that_line() -> None:
    text = _rule().replace("allowed_tools:", "allowed_tools:  # aegis: allow allow-everything")
    assert codes(text) == ["unused-silence", "allow-everything"]


def test_one_comment_may_name_several_codes_and_those_unused_are_told() -> None:
    text = "# aegis: allow missing-owner, time-never\nagent: a\nallowed_tools: [{name: stripe-payments, actions: [refund]}]\n"
    (finding,) = findings(text)
    assert (finding.code, finding.problem.line, finding.problem.column) == ("unused-silence", 1, 31)


def test_another_code_silences_nothing() -> None:
    assert codes(_rule("  # aegis: allow wide-approval\n")) == ["unused-silence", "allow-everything"]


@pytest.mark.parametrize("code", ["invalid", "unused-silence"])
def test_some_codes_cannot_be_silenced(code: str) -> None:
    (finding, _) = findings(_rule(f"  # aegis: allow {code}\n"))
    assert "cannot be silenced" in finding.problem.message


def test_a_code_that_does_not_exist_is_told_with_the_nearest() -> None:
    (finding, _) = findings(_rule("  # aegis: allow allow-everythin\n"))
    assert "did you mean 'allow-everything'?" in finding.problem.message


def test_what_only_looks_like_a_comment_inside_a_text_is_none() -> None:
    text = document(
        'description: "ä€😀 a # aegis: allow allow-everything"\n'
        "ticket: |-\n  # aegis: allow allow-everything\n"
        'allowed_tools: [{name: stripe-payments, actions: ["*"]}]\n'
    )
    assert codes(text) == ["allow-everything"]


def test_findings_of_the_catalogue_are_silenced_there() -> None:
    unused = f"{TOOL}---\n# aegis: allow unused-tool\n{MCP}"
    text = document("allowed_tools: [{name: stripe-payments, actions: [refund]}]\n")
    assert codes(text, unused) == []


def test_comments_behind_texts_of_other_alphabets_are_found() -> None:
    assert (
        codes(
            document('description: "ä€😀"\n') + _rule("  # aegis: allow allow-everything\n").partition("payments\n")[2]
        )
        == []
    )
