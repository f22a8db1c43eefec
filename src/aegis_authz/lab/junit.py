"""What became of tests as JUnit XML, which every build server reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as Xml

from aegis_authz.lab.identity_trial import IdentityResult
from aegis_authz.lab.trial import CaseResult
from aegis_authz.policy.source.problems import Problem

_SUITE = "aegis policy test"
# XML 1.0 cannot say these, not even escaped
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_of_outcomes(outcomes: Sequence[tuple[CaseResult | IdentityResult, str]]) -> bytes:
    """One `testsuite` a file; each outcome comes with the text that says why it failed ("" when it passed)."""
    root = Xml.Element("testsuites", name=_SUITE, tests=str(len(outcomes)), failures=str(_failed(outcomes)), errors="0")
    for path, group in groupby(outcomes, key=lambda pair: pair[0].case.path):
        members = list(group)
        suite = Xml.SubElement(
            root, "testsuite", name=_xml_text(path), tests=str(len(members)), failures=str(_failed(members)), errors="0"
        )
        for outcome, text in members:
            case = outcome.case
            testcase = Xml.SubElement(
                suite,
                "testcase",
                name=_xml_text(case.name),
                classname=_xml_text(path),
                file=_xml_text(path),
                line=str(case.line),
            )
            if not outcome.passed:
                first = outcome.differences[0]
                message = f"{first.member} is not as expected"
                Xml.SubElement(testcase, "failure", message=message, type="difference").text = _xml_text(text)
    return _bytes(root)


def junit_of_problems(problems: Sequence[Problem]) -> bytes:
    """The same for documents or tests that could not be read: an error each, so that a build cannot pass."""
    root = Xml.Element("testsuites", name=_SUITE, tests=str(len(problems)), failures="0", errors=str(len(problems)))
    for path, group in groupby(sorted(problems), key=lambda problem: problem.path):
        members = list(group)
        count = str(len(members))
        suite = Xml.SubElement(root, "testsuite", name=_xml_text(path), tests=count, failures="0", errors=count)
        for problem in members:
            name = f"line {problem.line}, column {problem.column}"
            testcase = Xml.SubElement(suite, "testcase", name=name, classname=_xml_text(path), file=_xml_text(path))
            testcase.set("line", str(problem.line))
            Xml.SubElement(testcase, "error", message=_xml_text(problem.message), type="invalid").text = _xml_text(
                str(problem)
            )
    return _bytes(root)


def _failed(outcomes: Sequence[tuple[CaseResult | IdentityResult, str]]) -> int:
    return sum(not outcome.passed for outcome, _ in outcomes)


def _xml_text(text: str) -> str:
    return _UNSAYABLE.sub("\ufffd", text)


def _bytes(root: Xml.Element) -> bytes:
    Xml.indent(root)
    content: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"
