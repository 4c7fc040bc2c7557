"""Webhooks: programs elsewhere that are told of events, by HTTP.

webhook ──> records       a webhook, and its rows and those of its deliveries
addresses ──> sending     where a delivery may go, how it is signed and sent
courier                   which events become deliveries, and when each is tried
"""
