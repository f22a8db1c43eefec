"""Five use cases, each played on the demo's mesh and ended in its evidence: records, spans, metrics, alerts."""
