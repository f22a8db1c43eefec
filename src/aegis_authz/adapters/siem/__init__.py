"""Receivers of events: Splunk's HTTP Event Collector, OTLP logs, syslog over TLS."""
