"""Pages for people, rendered on the server: without a script, under a policy of content that allows none."""

from aegis_authz.control.pages.problems import ProblemPages
from aegis_authz.control.pages.rendering import Form, Pages, problem_page

__all__ = ["Form", "Pages", "ProblemPages", "problem_page"]
