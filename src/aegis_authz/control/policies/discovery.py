"""OPA's configuration as the control plane serves it: which keys sign bundles, and where bundles are.

OPA fetches it as a bundle of its own (OPA documentation, "Discovery"), signed by the root key, which alone stands in
the configuration that OPA is started with. So a new key is known to every OPA before it signs, without a restart.

OPA 1.22 never forgets the key of a name that was served once, until it is started anew. While there is one key only,
the configuration therefore pins its name (`signing.keyid`): a key that was dropped is of no use then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegis_authz.control.policies.notice import Notice
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import BUNDLE_NAME, DISCOVERY_NAME, ROOT_KEY_ID
from aegis_authz.encoding.verifying_key import p256_jwk
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.pack import signed_archive

LONG_POLL_SECONDS = 30
POLLING: dict[str, Json] = {
    "min_delay_seconds": 1,
    "max_delay_seconds": 2,
    "long_polling_timeout_seconds": LONG_POLL_SECONDS,
}
"""How OPA polls for bundles and for its configuration."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration, signed; its revision is made from its content."""

    revision: str
    bundle: bytes

    @property
    def etag(self) -> str:
        """Its revision."""
        return self.revision


class Discovery(Notice[Configuration]):
    """Serves the configuration of the keys of now."""

    def __init__(
        self, root: EllipticCurvePrivateKey, bundle_keys: Callable[[], Sequence[EllipticCurvePublicKey]]
    ) -> None:
        """`bundle_keys` are those whose signatures on bundles are to be believed, that which signs now first."""
        super().__init__()
        self._root = root
        self._bundle_keys = bundle_keys

    @property
    def signer(self) -> str:
        """The thumbprint of the key that signs bundles now."""
        return p256_jwk(self._bundle_keys()[0])["kid"]

    def refresh(self) -> Configuration:
        """Serve the configuration of the keys of now; returns it."""
        data = configuration_of(self._bundle_keys())
        text = canonical(data)
        revision = hashlib.sha256(text).hexdigest()[:32]
        manifest = canonical({"revision": revision, "roots": [DISCOVERY_NAME]})
        configuration = Configuration(
            revision, signed_archive({".manifest": manifest, "data.json": text}, self._root, ROOT_KEY_ID)
        )
        if configuration != self.current:
            self.announce(configuration)
        return configuration


def configuration_of(keys: Sequence[EllipticCurvePublicKey]) -> dict[str, Json]:
    """The data of a configuration that believes these keys, of which there is at least one."""
    pems: dict[str, Json] = {p256_jwk(key)["kid"]: {"algorithm": "ES256", "key": _pem(key)} for key in keys}
    # Without a pin OPA looks a key up by the `kid` of the signature, which must be there all the same.
    signing: dict[str, Json] = {"keyid": next(iter(pems))} if len(pems) == 1 else {}
    bundle: dict[str, Json] = {
        "service": "control",
        "resource": f"bundles/{BUNDLE_NAME}.tar.gz",
        "persist": True,
        "signing": signing,
        "polling": POLLING,
    }
    return {DISCOVERY_NAME: {"keys": pems, "bundles": {BUNDLE_NAME: bundle}, "status": {"service": "control"}}}


def _pem(key: EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
