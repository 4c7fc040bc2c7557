"""The figures of scripts/bench: one module for each area, the load, and the programs under measure."""
