"""Accounts of a running town that a test makes for itself, with a password that it knows."""

from __future__ import annotations

import time
from contextlib import closing

from playwright.async_api import CDPSession, Page, expect

from pbx.accounts import codes, links, records
from pbx.accounts.passwords import hash_password
from pbx.accounts.rights import Role
from tests.accounts.desk import HASHER
from tests.browser.town import Town

PASSWORD = "quatre mots sans rapport"


def newcomer(town: Town, account: str, name: str, role: Role = "agent", password: str = PASSWORD) -> str:
    """Add an account; returns its sign-in name. password: "" for none."""
    kept = hash_password(password, HASHER) if password else ""
    with closing(town.database) as database:
        database.write(
            lambda connection: records.add(
                connection, account, name, now=time.time(), roles=[role], password_hash=kept
            )
        )
    return account


def password_link(town: Town, account: str) -> str:
    """A link by which this account's owner chooses a password."""
    ends_at = time.time() + links.PASSWORD_SECONDS
    with closing(town.database) as database:
        secret = database.write(lambda connection: links.make_link(connection, "password", account, ends_at))
    return f"{links.PATHS['password']}#{secret}"


def by_name(town: Town) -> str:
    """The town's pages by a name: an address has no passkeys."""
    return town.url.replace("127.0.0.1", "localhost")


def code_now(secret: str, later: int = 0) -> str:
    """The code that an application shows now, or some steps later."""
    return codes.totp(secret.replace(" ", ""), int(time.time() // codes.STEP_SECONDS) + later)


async def fill_sign_in(page: Page, account: str, password: str = PASSWORD) -> None:
    """Give name and password, in French."""
    await page.get_by_label("Nom ou numéro intérieur").fill(account)
    await page.get_by_label("Mot de passe").fill(password)
    await page.get_by_role("button", name="Se connecter", exact=True).click()


async def with_authenticator(page: Page) -> CDPSession:
    """Give the browser a device that makes passkeys, and whose owner says yes."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


async def heading(page: Page, text: str) -> None:
    """Wait for a page of this heading."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)
