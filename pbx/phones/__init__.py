"""Desk telephones that configure themselves: what is known of each, and the process that hands out their
files.

    telephone ──HTTPS──> front ──> counter ──> admit (provisioning.enrolment), render (provisioning.rendering)
              ──HTTP, TFTP──> pointers alone          │
              ──multicast──> group                    └──> shelf (database), composing (what it is to be)
"""
