"""Accounts: who may sign in to the pages and to the API, how they prove it, and what they may do then.

    rights ── actor                who may what: the one table, and whoever acts
    account, records               an account as it is, and its rows in the database
    passwords, codes, passkeys     what somebody proves who they are with
    lockout, known_devices         what wrong passwords cost, and whom they don't slow down
    sessions, links                what is kept of who has signed in, and links that work once
    signing_in                     the journey through all of them, which the routes of the web process tell

Functions that take a Connection are synchronous and run in the caller's transaction, so that the commands and
the web process share them; only `signing_in` awaits.
"""
