"""The records: one wide event per call, written on every path, one per redaction done, one per decision of a held
call, one per outcome, one per tail cut off, one per segment sealed, and one for refusals that came too fast to be
recorded one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Obligation
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import KINDS, Budget, Count
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.scope import Scope

DECISION_VERSION = 5
"""The version of the decision records that are written."""
MARKS = (100, 80)
"""The percentages of a limit of which people are told when a call brings it there."""
_LEAST_MARK = min(MARKS)
_USED_UP = frozenset((KINDS[Budget], KINDS[Count]))
MOST_PATH = 2048
"""Characters of a path that a record holds: who has no token must not fill the disk."""


@dataclass(frozen=True, slots=True)
class FindingName:
    """Which condition did not hold. Its limit and what was seen are left out: they may be what must not be kept."""

    parameter: str
    condition: str


@dataclass(frozen=True, slots=True)
class WholePath:
    """What a record keeps of a path that is longer than it holds: the `length` in characters and the SHA-256 in hex."""

    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SealedParameters:
    """What of a record the owner of the key of that name alone can open: the box in base64 (evidence/sealing.py)."""

    key_id: str
    box: str


@dataclass(frozen=True, slots=True)
class FlatObligation:
    """An obligation as records of version 1 tell it: a text that leaves parts of it out."""

    text: str


class ChargeRecord(NamedTuple):  # to make a frozen dataclass of so many fields takes four times as long
    """What a call used of a limit, and how the limit stood then.

    Amounts are micro-units of `currency`, or where that is "", numbers. `amount` is what the call would use, 0 of
    different values, which may have been there before, and of flags; `used` is what is used after it, and it used
    nothing when it did not pass. `resets_at` is seconds since the epoch, 0 for never.
    A call that passes over its limit was let by `on_exceed`, or by whoever the record names as `approved_by`.
    """

    limit: str
    name: str
    policy: str
    holder: str
    kind: str
    currency: str
    amount: int
    used: int
    left: int
    of: int
    resets_at: float
    excess: str
    on_exceed: str

    @property
    def reached(self) -> int:
        """The percentage of the limit, 80 or 100, that this call's charge reached or passed; 0 for neither."""
        if self.used * 100 < _LEAST_MARK * self.of:  # nearly always, and to look for one takes several times as long
            return 0
        for percent in MARKS:
            if self.of and (self.used - self.amount) * 100 < percent * self.of <= self.used * 100:
                return percent
        return 0

    @property
    def mark(self) -> int:
        """What was `reached` of a limit that is used up over a time; rates and the like come and go by the second."""
        return self.reached if self.kind in _USED_UP else 0


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What is kept of a call: what was answered, and all that policy was told, so that it can be judged again.

    Unknown parts are empty strings or None, never missing. `time` is seconds since the epoch at arrival; `stages` maps
    a stage to the milliseconds it took. `kind` is None for a call that could not be told. `parameters` holds only what
    the catalogue declares one by one, and never a redacted call's; `withheld` counts those that are left out. `path`
    holds at most `MOST_PATH` characters; `whole_path` is None but for a longer one. `would`
    is "" or the effect a shadow policy would have had. `mcp_session` is the SHA-256 of the id of an MCP session as the
    agent showed it, "" where it showed none. `approved_by` is who granted the approval `approval_id` that the
    call used, "" for every other call. `charges` are those of a call that meets limits, as far as it came to that;
    `quarantined_until` is until when the agent is quarantined after the call, 0 when it is not; `cost` is what a call
    that has a price was estimated to cost. `sealed` is what policy has an auditor alone read, None where nothing is.
    A record of version 4 knows nothing of that; one of version 3 nothing of charges, quarantine and cost; one of
    version 2 nothing of
    `approved_by` either, and the identity's single-use token alone; one of version 1 knows nothing of `kind`,
    `rpc_method`, `scheme`, `port`, `environment`, `withheld` (None there alone), nor how old the identity's token is
    and whom it serves.
    """

    version: int
    decision_id: str
    time: float
    effect: Effect
    reason: Reason
    detail: str
    identity: Identity | None
    tool: str
    action: str
    kind: CallKind | None
    rpc_method: str
    parameters: Mapping[str, Json]
    withheld: int | None
    digest: str
    method: str
    scheme: str
    host: str
    port: int | None
    path: str
    whole_path: WholePath | None
    sealed: SealedParameters | None
    source: str
    environment: str
    policies: tuple[str, ...]
    revision: str
    obligations: tuple[Obligation | FlatObligation, ...]
    findings: tuple[FindingName, ...]
    would: str
    approval_id: str
    approved_by: str
    charges: tuple[ChargeRecord, ...]
    quarantined_until: float
    cost: Money | None
    mcp_session: str
    request_id: str
    trace_id: str
    stages: Mapping[str, float]
    total_ms: float


@dataclass(frozen=True, slots=True)
class RedactionRecord:
    """What was redacted for a decision, counted and never stored.

    `counts` maps a detector or JSON pointer to how often it matched; `outcome` is "done" or why the
    body was cut off.
    """

    decision_id: str
    time: float
    target: str
    counts: Mapping[str, int]
    outcome: str


@dataclass(frozen=True, slots=True)
class CutRecord:
    """A writer owns up to having cut an unsealed tail of `size` bytes off its log, kept in the file `kept_in`."""

    time: float
    size: int
    kept_in: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """From here on another key seals the log, as the key before says in the signed `note`. `key_id` is its name."""

    time: float
    key_id: str
    note: str


@dataclass(frozen=True, slots=True)
class SealRecord:
    """The last line of a segment, the file of that number from 1: it holds the records `first` to `last` and this one.

    `digest` is the SHA-256, in hex, of the file's bytes before this line; `signature` (base64, with the key's id) is
    that of the key that seals the log here.
    """

    time: float
    segment: int
    first: int
    last: int
    digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class RefusalsRecord:
    """Refusals of one reason that came too fast to be recorded in full.

    `count` of them came from `first_time` to `last_time`; `decision_ids` and `sources` name the first few. `time` is
    when the count was written.
    """

    time: float
    reason: Reason
    count: int
    first_time: float
    last_time: float
    decision_ids: tuple[str, ...]
    sources: tuple[str, ...]


class ApprovalStep(Enum):
    """What became of a held call; UNDONE: what the record before says was decided did not come about."""

    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """A decision about a held call: who made it, when, why, and of which call.

    `decision_id` is that of the answer which held the call. `by` is "" where time decided; `note` is what the approver
    said, or why a step was none.
    """

    decision_id: str
    time: float
    approval_id: str
    step: ApprovalStep
    by: str
    note: str
    scope: Scope
    tool: str
    action: str
    digest: str
    basis: str
    revision: str
    policies: tuple[str, ...]
    requested_at: float
    expires_at: float


GOOD = range(200, 300)
"""The statuses of answers of language models that are watched for their usage."""
AGENT_REPORT = "agent_report"
"""In place of response code details: the agent said itself what became of a function that it called."""


class CostState(Enum):
    """How what a call costs came about.

    KEPT: as estimated, which was exact. ESTIMATED: as estimated, where a usage may say more. MEASURED: by its usage.
    RELEASED: given back.
    """

    KEPT = "kept"
    ESTIMATED = "estimated"
    MEASURED = "measured"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class SettledCost:
    """What a call is charged in the end."""

    money: Money
    state: CostState


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """What became of a call that was let through, as the proxy told it. `time` is when it was over.

    `status` is that of the answer, 0 where there was none; `details` and `flags` are Envoy's words for how it ended.
    `was_reached` says whether anything was sent to the tool. Bytes are those of the bodies. `upstream_ms` is how long
    the tool took until its answer began, None where it gave none. `cost` is None for a call without a price.
    """

    decision_id: str
    time: float
    status: int
    details: str
    flags: tuple[str, ...]
    was_reached: bool
    request_bytes: int
    response_bytes: int
    upstream_ms: float | None
    duration_ms: float
    cost: SettledCost | None

    @property
    def is_superseded(self) -> bool:
        """Whether a usage record says the cost: that of a language model's good answer, which was watched."""
        is_by_tokens = self.cost is not None and self.cost.state is CostState.ESTIMATED
        return is_by_tokens and self.status in GOOD and self.details != AGENT_REPORT


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """How many tokens a language model said that a call took, and what it costs by that. `time` is when it was read.

    `tokens` are those put in, read from a cache, written to one and put out; None where the answer told none that can
    be. Where the estimate stands beside tokens, they were more than the call could have used.
    """

    decision_id: str
    time: float
    tokens: tuple[int, int, int, int] | None
    cost: SettledCost


Record = (
    DecisionRecord
    | RedactionRecord
    | ApprovalRecord
    | CutRecord
    | KeyRecord
    | SealRecord
    | RefusalsRecord
    | OutcomeRecord
    | UsageRecord
)
