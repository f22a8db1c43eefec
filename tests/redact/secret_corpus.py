"""Secrets of every form that is looked for, and what begins or reads like one and is none."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

Chance = random.Random

_LETTERS = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_HEX = "0123456789abcdef"
_URL = _LETTERS + "_-"


@dataclass(frozen=True, slots=True)
class Secret:
    """`text` stands between `before` and `after`, which are no secret."""

    text: str
    before: str = ""
    after: str = ""


def _of(chance: Chance, count: int, letters: str = _LETTERS) -> str:
    # a digit and both cases early: what has none is a word to some forms
    return "a1B" + "".join(chance.choice(letters) for _ in range(count - 3))


def _hex(chance: Chance, count: int) -> str:
    return "".join(chance.choice(_HEX) for _ in range(count))


def _upper(chance: Chance, count: int) -> str:
    return "".join(chance.choice(_UPPER) for _ in range(count))


def _armour(chance: Chance, kind: str) -> str:
    body = "\n".join(_of(chance, 64) for _ in range(3))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


def _jwt(chance: Chance) -> str:
    return f"eyJ{_of(chance, 20, _URL)}.eyJ{_of(chance, 30, _URL)}.{_of(chance, 43, _URL)}"


SECRETS: tuple[Callable[[Chance], Secret], ...] = (
    *(
        lambda c, head=head: Secret(head + _upper(c, 16))  # type: ignore[misc]  # bound in the loop
        for head in ("AKIA", "ASIA", "ABIA", "ACCA")
    ),
    lambda c: Secret(_of(c, 40), "aws_secret_access_key = "),
    lambda c: Secret(_of(c, 40), '"SecretAccessKey": "', '"'),
    *(
        lambda c, head=head: Secret(head + _of(c, 36))  # type: ignore[misc]
        for head in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")
    ),
    lambda c: Secret("github_pat_" + _of(c, 60, _LETTERS + "_")),
    *(
        lambda c, head=head: Secret(head + _of(c, 20, _URL))  # type: ignore[misc]
        for head in ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-", "glagent-", "gloas-", "glft-")
    ),
    *(
        lambda c, head=head: Secret(f"{head}{c.randrange(10**11, 10**12)}-{_of(c, 24)}")  # type: ignore[misc]
        for head in ("xoxa-", "xoxb-", "xoxp-", "xoxs-", "xapp-1-")
    ),
    lambda c: Secret(f"hooks.slack.com/services/T{_upper(c, 8)}/B{_upper(c, 8)}/{_of(c, 24)}", "https://"),
    lambda c: Secret(f"discord.com/api/webhooks/{c.randrange(10**17, 10**18)}/{_of(c, 68, _URL)}", "https://"),
    lambda c: Secret(f"{c.randrange(10**8, 10**10)}:AA{_of(c, 33, _URL)}"),
    lambda c: Secret("AIza" + _of(c, 35, _URL)),
    lambda c: Secret("GOCSPX-" + _of(c, 28, _URL)),
    lambda c: Secret("ya29." + _of(c, 60, _URL)),
    lambda c: Secret(_of(c, 86) + "==", "AccountName=a;AccountKey=", ";"),
    lambda c: Secret(_of(c, 43) + "=", "SharedAccessKeyName=root;SharedAccessKey="),
    lambda c: Secret(_of(c, 43) + "%3D", "https://a.example/c/b?sv=2024-01-01&sig="),
    lambda c: Secret(f"{_of(c, 3)}8Q~{_of(c, 34)}"),
    *(
        lambda c, head=head: Secret(head + _of(c, 24))  # type: ignore[misc]
        for head in ("sk_live_", "rk_live_", "pk_live_", "sk_test_")
    ),
    lambda c: Secret("whsec_" + _of(c, 32)),
    *(
        lambda c, head=head: Secret(head + _of(c, 60, _URL))  # type: ignore[misc]
        for head in ("sk-proj-", "sk-svcacct-", "sk-admin-", "sk-ant-api03-", "sk-or-v1-")
    ),
    lambda c: Secret("sk-" + _of(c, 48)),
    *(
        lambda c, head=head: Secret(head + _of(c, 40))  # type: ignore[misc]
        for head in ("gsk_", "hf_", "r8_", "xai-", "pplx-", "nvapi-", "co_")
    ),
    lambda c: Secret("npm_" + _of(c, 36)),
    lambda c: Secret("pypi-AgEIcHlwaS5vcmc" + _of(c, 80, _URL)),
    *(
        lambda c, head=head: Secret(head + _hex(c, 64))  # type: ignore[misc]
        for head in ("dckr_pat_", "dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "shpss_")
    ),
    lambda c: Secret("SK" + _hex(c, 32)),
    lambda c: Secret(f"SG.{_of(c, 22, _URL)}.{_of(c, 43, _URL)}"),
    lambda c: Secret("key-" + _hex(c, 32)),
    *(
        lambda c, head=head: Secret(head + _of(c, 43, _URL))  # type: ignore[misc]
        for head in ("sq0csp-", "sq0atp-", "EAAAE")
    ),
    *(
        lambda c, head=head: Secret(head + _of(c, 90, _URL))  # type: ignore[misc]
        for head in ("hvs.", "hvb.", "hvr.")
    ),
    lambda c: Secret(f".atlasv1.{_of(c, 67, _URL)}", "a1b2c3d4e5f6g7"),
    lambda c: Secret("dapi" + _hex(c, 32)),
    *(
        lambda c, head=head: Secret(head + _of(c, 40))  # type: ignore[misc]
        for head in (
            *("lin_api_", "ntn_", "secret_", "PMAK-", "NRAK-", "glsa_", "glc_", "sntrys_", "sntryu_", "sbp_"),
            *("pscale_tkn_", "dp.pt.", "figd_", "dt0c01.", "ATATT3", "HRKU-", "rubygems_", "pul-"),
        )
    ),
    lambda c: Secret("AGE-SECRET-KEY-1" + _upper(c, 58)),
    lambda c: Secret(_jwt(c)),
    lambda c: Secret(_of(c, 30, _URL), "Authorization: Bearer "),
    lambda c: Secret(_of(c, 32), "authorization: Basic "),
    lambda c: Secret(_armour(c, "PRIVATE KEY")),
    lambda c: Secret(_armour(c, "RSA PRIVATE KEY")),
    lambda c: Secret(_armour(c, "EC PRIVATE KEY")),
    lambda c: Secret(_armour(c, "OPENSSH PRIVATE KEY")),
    lambda c: Secret(_armour(c, "PGP PRIVATE KEY BLOCK")),
    lambda c: Secret(f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n{_of(c, 60)}"),
    *(
        lambda c, head=head: Secret("Pa5" + _of(c, 9), f"{head}://app:", "@db.example:5432/x")  # type: ignore[misc]
        for head in ("postgres", "postgresql+psycopg", "mysql", "mongodb+srv", "redis", "amqps", "https", "ftp")
    ),
    lambda c: Secret("Pa5" + _of(c, 9), "redis://:", "@cache.example:6379/0"),
    lambda c: Secret("Pa5" + _of(c, 9), "Server=db;User Id=app;Password=", ";Encrypt=true"),
    lambda c: Secret("Pa5" + _of(c, 9), "Host=db;Username=app;Pwd=", ";"),
    lambda c: Secret("Pa5" + _of(c, 9), "PGPASSWORD="),
    lambda c: Secret("Pa5" + _of(c, 9), "MYSQL_PWD="),
    lambda c: Secret("Pa5" + _of(c, 9), "REDISCLI_AUTH="),
    lambda c: Secret("Pa5" + _of(c, 9), "requirepass "),
)
"""For each form of a secret at least one that has it, in the order of `credentials.FORMS`."""

_READ_LIKE = (
    *("the bearer of this letter", "bearer bonds are securities", "a basic introduction to hf_hub and npm_config"),
    *("postgres://app:${DB_PASSWORD}@db.example/x", "postgres://app:$PASSWORD@db.example/x", "redis://:****@h.example"),
    *("mysql://app:<password>@db.example/x", "https://user:xxxx@host.example/", "https://host.example/a:b/c@d"),
    *("Password=<password>;", "Server=db;Password=***;", "Server=db;Password={0};", "http://host.example:8080/@me"),
    *("sk-learn and task-force-one", "sk-toggleable__control", "AKIA is a prefix", "the SK Telecom company", "SG.com"),
    *("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "eyJ is how a JWT begins", "key-value store"),
    *("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", "-----BEGIN PGP SIGNED MESSAGE-----\nhi"),
    *("secret_santa_2026", "glpat-", "xoxb- tokens", "pul-and-push", "co_authored_by", "figd_ and ntn_ are prefixes"),
    *("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0 me", "github_pat_ is a prefix", "https://hooks.slack.com/", "dapi"),
    *("arn:aws:iam::123456789012:role/x", "https://sts.amazonaws.com/?Action=GetCallerIdentity", "AIzawl", "npm_"),
    *("projects/p/secrets/api-key/versions/3", "Authorization: Bearer", "basic authentication is on", "key-usage: 3"),
    *("PGPASSWORD=$PGPASSWORD", "export MYSQL_PWD=$X", "requirepass $REDIS_PASSWORD", "hvs. and hvb.", "dop_v1_"),
)


def secret_alike(chance: Chance) -> str:
    """A text that reads like a secret, or the beginning of one."""
    if chance.random() < 0.5:
        return chance.choice(_READ_LIKE)
    secret = chance.choice(SECRETS)(chance)
    if "-----BEGIN" in secret.text or not secret.text[:3].isalpha() or secret.before:
        return chance.choice(_READ_LIKE)
    return f"{secret.text[:10]} and more"
