"""Envoy's configuration as typed objects: settings and catalogue in, messages and YAML out."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # pydantic objects to how envoy_data_plane was generated, once for each of hundreds of classes
    warnings.filterwarnings("ignore", message="Using `@model_validator` with mode='after'", category=DeprecationWarning)
    from aegis_authz.proxy import render as _render  # noqa: F401  # imports all of them, here, where it is quiet
