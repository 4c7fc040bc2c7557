"""Call recording with proof and retention (docs/decisions/005): a process, and what it is made of."""
