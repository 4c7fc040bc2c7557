"""Call recording with proof and retention (docs/decisions/005). No call is recorded yet: see README.md."""
