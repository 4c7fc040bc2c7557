"""Recordings that there are: found, opened, held, purged on time, and accounted for."""
