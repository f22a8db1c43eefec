from __future__ import annotations

from aegis_authz.policy.text_changes import document_difference


def test_files_that_come_go_and_change_are_told_line_by_line_and_the_same_ones_not() -> None:
    before = {"a.yaml": "one\ntwo\n", "gone.yaml": "x\n", "same.yaml": "y\n"}
    after = {"a.yaml": "one\nthree\n", "new.yaml": "z\n", "same.yaml": "y\n"}
    assert document_difference(before, after) == [
        *("--- a.yaml", "+++ a.yaml", "@@ -1,2 +1,2 @@", " one", "-two", "+three"),
        *("--- gone.yaml", "+++ /dev/null", "@@ -1 +0,0 @@", "-x"),
        *("--- /dev/null", "+++ new.yaml", "@@ -0,0 +1 @@", "+z"),
    ]


def test_control_characters_of_names_and_lines_are_shown_as_question_marks() -> None:
    assert document_difference({}, {"\x1b.yaml": "\x07\n"})[1:] == ["+++ ?.yaml", "@@ -0,0 +1 @@", "+?"]
