"""Records as the events that security teams' systems read: JSON, OCSF, ECS and CEF. Pure."""
