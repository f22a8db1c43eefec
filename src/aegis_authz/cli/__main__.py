"""`python -m aegis_authz.cli`."""

from aegis_authz.cli import main

main()
