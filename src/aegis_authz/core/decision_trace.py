"""Where the span of a decision belongs among the traces of others (W3C Trace Context)."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.telemetry_terms import CallerTrace, TelemetryTerms

_TRACE_ID = slice(3, 35)


@dataclass(frozen=True, slots=True)
class DecisionTrace:
    """The span that a decision's is the child of, "" for none, and those it links to, each a `traceparent`.

    `terms` are what spans may show of the call.
    """

    parent: str
    links: tuple[str, ...]
    terms: TelemetryTerms

    @staticmethod
    def of(proxy: str, caller: str, terms: TelemetryTerms) -> DecisionTrace:
        """The place of a decision for which Envoy says its span `proxy` and the caller its span `caller`, "" for none.

        Envoy's is the parent, else the caller's. Where the caller's trace is not to be continued, Envoy's is the parent
        only in a trace of its own: Envoy continues what the caller says.
        """
        is_callers = bool(caller) and proxy[_TRACE_ID] == caller[_TRACE_ID]
        beside = (caller,) if caller and not is_callers else ()
        if terms.trace is CallerTrace.CONTINUE:
            return DecisionTrace(proxy, beside, terms) if proxy else DecisionTrace(caller, (), terms)
        if proxy and not is_callers:
            return DecisionTrace(proxy, beside, terms)
        return DecisionTrace("", tuple(filter(None, (proxy or caller,))), terms)
