"""Whether other servers can be asked who somebody is: our secrets there, and whom we trust for them.

Nobody is asked over the network: what goes wrong then is in the log, and at the page of signing in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dialplan.finding import Finding
from pbx.configuration import Configuration
from pbx.node.secrets import secret_findings

_ALONE = "passwords of this node are taken alone"


def identity_findings(settings: Configuration, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is to be mended of `web: openid:` and `web: ldap:`. environment: where secrets may be."""
    openid, ldap = settings.web.openid, settings.web.ldap
    if openid is not None:
        secret = openid.client_secret
        yield from secret_findings(settings, "the secret of `web: openid:`", secret, environment, _ALONE)
        yield from _authority(openid.ca_file)
    if ldap is not None:
        secret = ldap.bind_password
        yield from secret_findings(settings, "the secret of `web: ldap:`", secret, environment, _ALONE)
        yield from _authority(ldap.ca_file)


def identity_state(settings: Configuration) -> str:
    """Return who else says who somebody is, in a few words; "" where nobody does."""
    openid, ldap = settings.web.openid, settings.web.ldap
    asked = [openid.issuer] if openid is not None else []
    asked += [ldap.url] if ldap is not None else []
    return ", ".join(asked)


def _authority(file: Path | None) -> Iterator[Finding]:
    if file is not None and not os.access(file, os.R_OK):
        hint = "put the authority's certificates there, in PEM"
        yield Finding("no_authority", "warning", str(file), 0, 0, "can't be read", hint)
