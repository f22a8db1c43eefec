"""Which certificates a process serves or uses, by its settings, and what looks at their dates."""

from __future__ import annotations

import asyncio

from aegis_authz.adapters.files.certificate_dates import CertificateDates, CertificateFile
from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.telemetry.certificate_gauges import CertificateGauges

_EVERY = 60.0
"""Seconds between two looks of a worker."""


def control_certificates(settings: ControlSettings) -> CertificateDates:
    """Those of a control plane, and of the Envoy beside it where its files are here.

    Raises SettingsError for settings of the proxy that cannot be read.
    """
    files: dict[str, CertificateFile] = {}
    if settings.tls is not None:
        files["listener"] = CertificateFile(settings.tls.certificate, authorities=False)
        if settings.tls.client_ca is not None:
            files["client-authorities"] = CertificateFile(settings.tls.client_ca, authorities=True)
    if settings.authorities is not None:
        files["mesh-authority"] = CertificateFile(settings.authorities, authorities=True)
    if settings.proxy is not None:
        proxy = load_settings(settings.proxy, ProxySettings)
        gateway = {} if proxy.tls is None else {"gateway": proxy.tls.certificate}
        clients = {f"tool {name}": tool.client_certificate for name, tool in proxy.tools.items()}
        for name, path in {**gateway, **clients}.items():
            if path is not None and path.exists():  # Envoy may be on another machine
                files[name] = CertificateFile(path, authorities=False)
    return CertificateDates(files)


def worker_certificates(settings: AuthzSettings) -> CertificateDates:
    """Those of an authorizer: of its evaluation endpoint, and what it shows and believes a collector by."""
    files: dict[str, CertificateFile] = {}
    evaluation, telemetry = settings.evaluation, settings.telemetry
    if evaluation is not None and evaluation.tls is not None:
        files["evaluation"] = CertificateFile(evaluation.tls.certificate, authorities=False)
    if telemetry.certificate is not None:
        files["collector-client"] = CertificateFile(telemetry.certificate, authorities=False)
    if telemetry.ca is not None:
        files["collector-authorities"] = CertificateFile(telemetry.ca, authorities=True)
    for name, workload in settings.identity.workload.items():
        if workload.authorities is not None:
            files[f"token endpoint {name}"] = CertificateFile(workload.authorities, authorities=True)
    return CertificateDates(files)


async def watch_certificates(dates: CertificateDates, gauges: CertificateGauges) -> None:
    """Look once a minute, in a thread, until cancelled."""
    while True:
        gauges.show(await asyncio.to_thread(dates.read))
        await asyncio.sleep(_EVERY)
