"""Calls: `Call`, `Leg`, what happens to them, and the router that starts an app for each."""
