"""All commands: each module registers its own, in the order that the help shows."""

from pbx.cli import demo, node, installation, doctor, plans, plan_changes, users, user_files, devices, calls  # noqa: F401, I001
from pbx.cli import live_calls, traces, voicemail, settings, queues, trunks, media, backups, bans, events  # noqa: F401
from pbx.cli import recordings, listening, recovery, recording_keys  # noqa: F401
from pbx.cli import accounts, audit, tokens, webhooks, phones, phone_care  # noqa: F401
