"""Telephones that configure themselves: what a device is to be, as the files that its maker's firmware asks
for.

    brand = brands["yealink"]
    files = render(brand, telephone)          # {"805ec0123456.cfg": b"#!version:1.0.0.1\n..."}

A brand is a folder of `brands/` (or of the town's own): `brand.yaml` says which models there are, what they
ask for and how they say who they are, Jinja templates beside it make the files. Nothing here listens, reads a
clock or knows who may have what: this package is given facts and returns bytes, names and decisions.
"""
