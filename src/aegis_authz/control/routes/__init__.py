"""The routes of the control plane, one file a noun; what they take and answer is in `aegis_authz.api`."""
