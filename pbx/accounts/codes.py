"""Codes that somebody types as a second factor: six digits of an application, and those kept on paper.

A code of the application counts once: the step of time that it belongs to is remembered, and neither it nor
an earlier one is taken again (RFC 6238 section 5.2). A recovery code is 80 bits, so that its plain hash is
enough, and goes when it is used.
"""

import hashlib
import hmac
import secrets
from typing import Final

import pyotp

STEP_SECONDS: Final = 30
RECOVERY_CODES: Final = 10
ISSUER: Final = "Beffroi"

_RECOVERY_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz023456789"  # 32 of them; without i, l, o and 1
_RECOVERY_LENGTH: Final = 16


def new_totp_secret() -> str:
    """Return what an application computes its codes from: 160 bits in base32."""
    return pyotp.random_base32()


def typed_secret(secret: str) -> str:
    """Return a secret as somebody types it into an application: groups of four letters."""
    return " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))


def totp_uri(secret: str, account: str, domain: str) -> str:
    """Return what a QR code tells an application. domain: of the node, so that two towns are told apart."""
    return pyotp.TOTP(secret, name=account, issuer=f"{ISSUER} {domain}").provisioning_uri()


def totp(secret: str, step: int) -> str:
    """Return the code of one step: of Unix time, STEP_SECONDS each (RFC 6238 section 4.2)."""
    return pyotp.TOTP(secret).generate_otp(step)


def matching_step(secret: str, typed: str, now: float, last_step: int) -> int:
    """Return the step whose code this is, 0 for a wrong one, or one that was taken before.

    A clock may be a step off (RFC 6238 section 6). last_step: the last one that was taken.
    """
    code = "".join(typed.split())
    current = int(now // STEP_SECONDS)
    for step in (current - 1, current, current + 1):
        if step > last_step and hmac.compare_digest(totp(secret, step).encode(), code.encode()):
            return step
    return 0


def is_recovery_code(typed: str) -> bool:
    """Whether this looks like a recovery code, and not like six digits."""
    return len(_letters(typed)) == _RECOVERY_LENGTH


def new_recovery_codes() -> list[str]:
    """Return codes to be printed, `abcd-efgh-jkmn-pqrs`."""
    return [_grouped(_chosen()) for _ in range(RECOVERY_CODES)]


def recovery_hash(account: str, typed: str) -> str:
    """Return what the database knows a recovery code of this account by."""
    return hashlib.sha256(f"{account} {_letters(typed)}".encode()).hexdigest()


def _chosen() -> str:
    return "".join(secrets.choice(_RECOVERY_LETTERS) for _ in range(_RECOVERY_LENGTH))


def _grouped(letters: str) -> str:
    return "-".join(letters[place : place + 4] for place in range(0, len(letters), 4))


def _letters(typed: str) -> str:
    return "".join(letter for letter in typed.casefold() if letter.isalnum())
