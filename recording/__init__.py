"""Call recording with proof and retention (docs/decisions/005): a process of its own, and what it is made of."""
