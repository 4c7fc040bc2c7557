"""The plan in force, those before it, and what a decision has to know besides."""
