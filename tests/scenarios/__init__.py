"""Whole calls through the whole exchange, in the virtual world: golden ladders, call records, nothing left.

town: the exchange with the sample plan, its phones and its operators. Each module is a part of what the town
does; RFC 3665's flows are in `test_registration_flows` and `test_session_flows`, adapted as they say.
"""
