"""Accounts: signing in, second factors, sessions, rights, links."""
