"""What publishes documents, and what they must pass before."""

from __future__ import annotations

from aegis_authz.bootstrap.control_stores import ControlStores
from aegis_authz.bootstrap.policy_trials import LabTrials
from aegis_authz.bootstrap.record_backtests import RecordBacktests
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.policies.backtests import BacktestRule, PublicationTrials
from aegis_authz.control.policies.building import PolicyBuilder
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.proposing import TwoPersonRule
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.trials import TrialRule
from aegis_authz.ports.data_plane import Clock, Ids


def publisher_of(
    settings: ControlSettings, stores: ControlStores, builder: PolicyBuilder, bulletin: Bulletin, clock: Clock, ids: Ids
) -> Publisher:
    """The publisher of a control plane, by its settings."""
    admission = TwoPersonRule(settings.publish.domains, builder, stores.proposals, clock, ids)
    tests, terms = TrialRule(LabTrials(), builder, settings.publish.tests == "required"), settings.publish.backtest
    backtest = None
    if terms is not None:
        backtest = BacktestRule(RecordBacktests(settings.records, terms, clock), builder, terms.fewest)
    trials = PublicationTrials(tests, backtest, stores.releases)
    return Publisher(stores.releases, builder, bulletin, admission, trials, clock)
