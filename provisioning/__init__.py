"""Phones that configure themselves on the LAN. Not built yet: see the table in README.md."""
