"""Whether a secret that the configuration names can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dialplan.finding import Finding, Severity
from pbx.configuration import Configuration
from pbx.settings.values import Secret, SecretMissing


def secret_findings(
    settings: Configuration, whose: str, secret: Secret | None, environment: Mapping[str, str], until: str
) -> Iterator[Finding]:
    """Yield that a secret can't be read. whose: names it; until: what happens without it."""
    if secret is None:
        return
    try:
        secret.read(environment)
    except SecretMissing as error:
        hint = f"set it where Beffroi is started; until then {until}"
        # Whoever runs the doctor may have another environment than the node.
        severity: Severity = "note" if secret.file is None else "warning"
        message = f"{whose} can't be read: {error}"
        yield Finding("secret_not_set", severity, str(settings.path), 0, 0, message, hint)
