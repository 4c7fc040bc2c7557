"""Beffroi against real peers, each alone in a network namespace of its own: baresip, Linphone and pyVoIP as
phones, SIPp for what phones don't do by themselves, Kamailio as an operator."""
