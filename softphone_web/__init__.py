"""The browser application. Not built yet: see the table in README.md."""
