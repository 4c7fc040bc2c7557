"""The YAML numbering plan: loading with line numbers, and `route(plan, facts, now) -> Decision`. Pure functions."""
