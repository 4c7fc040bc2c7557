"""A town in a box: the sample plan on loopback, for a first look and for a call that plays itself.

`valmont.yaml` beside this file is a link to the one copy in `examples/`; an installed package holds its text.
"""

FIRST_LINE = "# The demonstration town: loopback only, and gone when the demonstration ends.\n"
"""Of its configuration: what is allowed to the demonstration alone looks for it."""
