"""A town in a box: the sample plan on loopback, for a first look and for a call that plays itself.

`valmont.yaml` beside this file is a link to the one copy in `examples/`; an installed package holds its text.
"""
