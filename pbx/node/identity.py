"""Whether other servers can be asked who somebody is: our secrets there, and whom we trust for them.

Nobody is asked over the network: what goes wrong then is in the log, and at the page of signing in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dialplan.finding import Finding, Severity
from pbx.accounts.elsewhere import Secret, SecretMissing
from pbx.configuration import Configuration


def identity_findings(settings: Configuration, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is to be mended of `web: openid:` and `web: ldap:`. environment: where secrets may be."""
    openid, ldap = settings.web.openid, settings.web.ldap
    if openid is not None:
        yield from _secret(settings, "openid", openid.client_secret, environment)
        yield from _authority(openid.ca_file)
    if ldap is not None:
        yield from _secret(settings, "ldap", ldap.bind_password, environment)
        yield from _authority(ldap.ca_file)


def identity_state(settings: Configuration) -> str:
    """Return who else says who somebody is, in a few words; "" where nobody does."""
    openid, ldap = settings.web.openid, settings.web.ldap
    asked = [openid.issuer] if openid is not None else []
    asked += [ldap.url] if ldap is not None else []
    return ", ".join(asked)


def _secret(
    settings: Configuration, section: str, secret: Secret | None, environment: Mapping[str, str]
) -> Iterator[Finding]:
    if secret is None:
        return
    try:
        secret.read(environment)
    except SecretMissing as error:
        message = f"the secret of `web: {section}:` can't be read: {error}"
        hint = "set it where Beffroi is started; until then passwords of this node are taken alone"
        # Whoever runs the doctor may have another environment than the node.
        severity: Severity = "note" if secret.file is None else "warning"
        yield Finding("secret_not_set", severity, str(settings.path), 0, 0, message, hint)


def _authority(file: Path | None) -> Iterator[Finding]:
    if file is not None and not os.access(file, os.R_OK):
        hint = "put the authority's certificates there, in PEM"
        yield Finding("no_authority", "warning", str(file), 0, 0, "can't be read", hint)
