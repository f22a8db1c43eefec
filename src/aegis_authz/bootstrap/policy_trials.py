"""Policy tests and explanations as the control plane runs them: on an OPA, and for sequences a Redis, of their own, for
a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from aegis_authz.bootstrap.lab_bench import lab_bench
from aegis_authz.control.policies.trials import TrialServerMissing, TrialsFault
from aegis_authz.core.call import CallKind
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Seconds
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.lab.explanation import Explanation, explanation_of
from aegis_authz.lab.identity_cases import IdentityCase, identity_cases_of
from aegis_authz.lab.opa import LabError
from aegis_authz.lab.trial_problems import trial_problems
from aegis_authz.lab.trial_report import TrialReport, identity_report, trial_report
from aegis_authz.local.servers import ServerFault, ServerMissing
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors, Problem

MAX_CALLS = 20_000
"""How many calls the tests of a publication may make; repetitions of sequences, and tests of identity, are one each."""
_PATIENCE = Seconds(60.0)


class LabTrials:
    """`control.policies.trials.Trials` and `control.policies.laboratory.Bench` on servers of this machine."""

    def __init__(self, patience: Seconds = _PATIENCE) -> None:
        """`patience` is how long the tests of one publication, or one explanation, may take."""
        self._patience = patience

    async def failures(self, loaded: Loaded, tests: Mapping[str, str]) -> list[Problem]:
        """Where tests fail (see the port)."""
        report = await asyncio.to_thread(self._report, loaded, tests, covers=False)
        return trial_problems(report.outcomes)

    async def report(self, loaded: Loaded, tests: Mapping[str, str]) -> TrialReport:
        """What becomes of the tests, and what they try (see the port)."""
        return await asyncio.to_thread(self._report, loaded, tests, covers=True)

    def _report(self, loaded: Loaded, tests: Mapping[str, str], *, covers: bool) -> TrialReport:
        cases, identity_cases = cases_of(tests, loaded), identity_cases_of(tests, loaded.identities)
        if tests and not cases and not identity_cases:
            raise PolicyErrors([Problem(min(tests), 1, 1, "", "holds no test")])
        _require_few([*cases, *identity_cases])
        if not cases:
            return identity_report(loaded, identity_cases, covers=covers)
        plays_sequences = any(case.play is not None for case in cases)
        with on_servers(), lab_bench(loaded, plays_sequences, self._patience) as bench:
            return trial_report(bench, cases, identity_cases, covers=covers)

    async def explanation(self, loaded: Loaded, call: TriedCall, kind: CallKind | None) -> Explanation:
        """Why that call is decided as it is (see the port)."""
        return await asyncio.to_thread(self._explanation, loaded, call, kind)

    def _explanation(self, loaded: Loaded, call: TriedCall, kind: CallKind | None) -> Explanation:
        with on_servers(), lab_bench(loaded, False, self._patience) as bench:
            [explained] = bench.explain([call], kind)
            return explanation_of(call, explained, loaded.loaded_policies)


@contextmanager
def on_servers() -> Iterator[None]:
    """Name what goes wrong on a bench as the ports do. Raises TrialServerMissing, TrialsFault."""
    try:
        yield
    except (LabError, Refused, ServerFault, OSError) as fault:
        raise TrialsFault(str(fault)) from None
    except ServerMissing as missing:
        raise TrialServerMissing(str(missing)) from None


def _require_few(cases: Sequence[Case | IdentityCase]) -> None:
    calls = 0
    for case in cases:
        calls += case.play.times if isinstance(case, Case) and case.play is not None else 1
        if calls > MAX_CALLS:
            message = f"from here on the tests make more than {MAX_CALLS} calls, which is the most of one publication"
            raise PolicyErrors([Problem(case.path, case.line, 1, "", message)])
