"""Sections of the configuration (pbx.configuration): what each says, and how it is read."""
