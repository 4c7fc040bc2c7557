"""The YAML numbering plan, and `route(plan, facts, now) -> Decision`. Pure functions."""
