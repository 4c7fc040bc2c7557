"""The four transaction machines of RFC 3261 section 17, with RFC 6026: one file each.

A machine is a value. Events go in with the time (`now`, seconds); what it sends is appended to an outbox of
`(flow, bytes)`; its next timer is `deadline`; `over` says that it has ended. It knows no socket or clock.
"""
