"""Secrets of settings in HashiCorp Vault or OpenBao: one field of an entry of a KV engine, version 2, read at start.

Where that is, the variables say that its own command line reads (VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT,
VAULT_NAMESPACE). In a cluster nobody needs a token: AEGIS_VAULT_ROLE is the role that the pod's service account has
there. Sources: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../auth/kubernetes.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx

from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.core.address import says_loopback
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import mapping, text

ADDRESS, TOKEN, TOKEN_FILE = "VAULT_ADDR", "VAULT_TOKEN", "AEGIS_VAULT_TOKEN_FILE"  # names
AUTHORITIES, NAMESPACE = "VAULT_CACERT", "VAULT_NAMESPACE"
ROLE, LOGIN, ACCOUNT = "AEGIS_VAULT_ROLE", "AEGIS_VAULT_LOGIN", "AEGIS_VAULT_ACCOUNT_FILE"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_TIMEOUT = 5.0
_MAX_ANSWER_BYTES = 1024 * 1024
_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}"
_REFERENCE = re.compile(rf"({_NAME})/({_NAME}(?:/{_NAME}){{0,15}})#({_NAME})\Z")
_LOGIN = re.compile(rf"{_NAME}(?:/{_NAME}){{0,3}}\Z")


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Where a Vault is, and what proves there who asks: a token, or the service account of a pod with its role."""

    url: str
    namespace: str
    authorities: str
    token: str = field(repr=False)
    role: str
    login: str
    account: str

    @staticmethod
    def of(environment: Mapping[str, str]) -> VaultPlace:
        """That of the environment. Raises SecretUnusable."""
        url, role = environment.get(ADDRESS, "").rstrip("/"), environment.get(ROLE, "")
        try:
            parts = urlsplit(url)
            is_private = parts.scheme == "https" or (parts.scheme == "http" and says_loopback(parts.hostname or ""))
            is_usable = is_private and bool(parts.hostname) and parts.username is None and not parts.query
        except ValueError:
            is_usable = False
        if not is_usable:
            raise SecretUnusable(f"{ADDRESS} must be https:// and a host (http:// on loopback alone)")
        login = environment.get(LOGIN, "kubernetes")
        if _LOGIN.match(login) is None:
            raise SecretUnusable(f"{LOGIN} must be the path of a method of authentication, such as kubernetes")
        file = environment.get(TOKEN_FILE, "")
        token = _word(read_secret(Path(file)), file) if file else environment.get(TOKEN, "")
        if bool(token) == bool(role):
            raise SecretUnusable(f"one of {TOKEN}, {TOKEN_FILE} and {ROLE} must say who asks Vault")
        namespace, authorities = environment.get(NAMESPACE, ""), environment.get(AUTHORITIES, "")
        return VaultPlace(url, namespace, authorities, token, role, login, environment.get(ACCOUNT, _ACCOUNT))


class VaultSecrets:
    """Reads secrets while it is open. A token that it was given for a service account ends with it."""

    def __init__(self, place: VaultPlace) -> None:
        """Raises SecretUnusable."""
        try:
            verify = ssl.create_default_context(cafile=place.authorities) if place.authorities else True
        except (OSError, ssl.SSLError) as fault:
            raise SecretUnusable(f"{AUTHORITIES}: {type(fault).__name__}") from None
        headers = {"x-vault-request": "true"} | ({"x-vault-namespace": place.namespace} if place.namespace else {})
        self._http = httpx.Client(
            base_url=f"{place.url}/v1/",
            headers=headers,
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,  # neither a proxy nor other credentials of this process are for it
            verify=verify,
        )
        self._place = place
        self._token = place.token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._place.role and self._token:
                self._ask("POST", "auth/token/revoke-self", {}, self._token)
        except SecretUnusable:
            self._token = ""  # it ends by itself: what was read with it is good all the same
        finally:
            self._http.close()

    def read(self, reference: str) -> str:
        """The secret at `MOUNT/PATH#FIELD`. Raises SecretUnusable, which names the place and never the secret."""
        match = _REFERENCE.match(reference)
        if match is None:
            raise SecretUnusable("a secret in Vault is named as MOUNT/PATH#FIELD")
        mount, path, name = match.groups()
        if not self._token:
            self._token = self._logged_in()
        data = self._ask("GET", f"{mount}/data/{path}", None, self._token).get("data")
        try:
            value = text(mapping(mapping(data, "data")["data"], "data")[name], name)
        except (KeyError, ValueError):
            raise SecretUnusable(f"vault: {mount}/{path} has no field {name} that is a text") from None
        return value

    def encrypt(self, mount: str, key: str, content: bytes, context: bytes) -> str:
        """The content under the newest version of a key of the transit engine, bound to the context (AES-GCM).

        Raises SecretUnusable, as `decrypt` does.
        """
        question: dict[str, Json] = {"plaintext": _base64(content), "associated_data": _base64(context)}
        return self._transit(mount, "encrypt", key, question, "ciphertext")

    def decrypt(self, mount: str, key: str, ciphertext: str, context: bytes) -> bytes:
        """What was encrypted with that key and that context."""
        question: dict[str, Json] = {"ciphertext": ciphertext, "associated_data": _base64(context)}
        try:
            return base64.b64decode(self._transit(mount, "decrypt", key, question, "plaintext"), validate=True)
        except binascii.Error:
            raise SecretUnusable(f"vault: {mount}/decrypt/{key}: the answer is not what Vault answers") from None

    def _transit(self, mount: str, verb: str, key: str, question: Mapping[str, Json], member: str) -> str:
        """https://developer.hashicorp.com/vault/api-docs/secret/transit"""
        if not self._token:
            self._token = self._logged_in()
        path = f"{mount}/{verb}/{key}"
        data = self._ask("POST", path, question, self._token).get("data")
        try:
            return text(mapping(data, "data")[member], member)
        except (KeyError, ValueError):
            raise SecretUnusable(f"vault: {path}: the answer is not what Vault answers") from None

    def _logged_in(self) -> str:
        """The token for the service account of this pod."""
        account = Path(self._place.account)
        try:
            jwt = _word(account.read_bytes(), str(account))
        except OSError as fault:
            raise SecretUnusable(f"{account}: {fault.strerror}") from None
        body: dict[str, Json] = {"role": self._place.role, "jwt": jwt}
        answer = self._ask("POST", f"auth/{self._place.login}/login", body, "")
        try:
            return text(mapping(answer["auth"], "auth")["client_token"], "client_token")
        except (KeyError, ValueError):
            raise SecretUnusable(f"vault: auth/{self._place.login}/login answered no token") from None

    def _ask(self, method: str, path: str, body: Mapping[str, Json] | None, token: str) -> Mapping[str, Json]:
        """What Vault says of a fault is not passed on: a status is enough, and holds no secret."""
        headers = {"x-vault-token": token} if token else {}
        content = bytearray()
        try:
            with self._http.stream(method, path, json=body, headers=headers) as answer:
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > _MAX_ANSWER_BYTES:
                        raise SecretUnusable(f"vault: {path}: the answer is too long")
        except httpx.HTTPError as fault:
            raise SecretUnusable(f"vault: {path}: no answer ({type(fault).__name__})") from None
        if answer.status_code not in (200, 204):
            raise SecretUnusable(f"vault: {path}: status {answer.status_code}")
        try:
            return strict_json.parse_object(bytes(content)) if content else {}
        except Refused:
            raise SecretUnusable(f"vault: {path}: the answer is not what Vault answers") from None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _word(content: bytes, place: str) -> str:
    try:
        word = content.decode("ascii").strip()
    except UnicodeDecodeError:
        word = ""
    if not word or not word.isprintable():
        raise SecretUnusable(f"{place}: not one line of text")
    return word
