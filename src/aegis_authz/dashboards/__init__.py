"""Dashboards as Grafana reads them, drawn as SVG where no Grafana is: boards, what their queries answer, and pictures.

Pure: what asks Prometheus is an adapter behind `ports.figures`.
"""
