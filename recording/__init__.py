"""Call recording with proof and retention. Not built yet: see the table in README.md."""
