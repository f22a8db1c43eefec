"""The console: pages for people, rendered on the server, which need no script and run none but the server's own."""

from aegis_authz.control.pages.problems import ProblemPages
from aegis_authz.control.pages.rendering import Form, Pages, problem_page

__all__ = ["Form", "Pages", "ProblemPages", "problem_page"]
