"""The tables, as the newest migration leaves them. Times are Unix seconds (double precision)."""

import sqlalchemy as sa

SCHEMA_REVISION = "0015"
"""The newest migration. Compared before Alembic is imported at all, which most starts then never do."""

metadata = sa.MetaData()

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started", sa.Double, nullable=False, index=True),
    sa.Column("answered", sa.Double),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("from_number", sa.Text, nullable=False),
    sa.Column("from_name", sa.Text, nullable=False),
    sa.Column("dialled", sa.Text, nullable=False),
    sa.Column("to_number", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("plan_version", sa.Text, nullable=False),
    sa.Column("plan_lines", sa.Text, nullable=False, server_default=""),  # numbers with blanks between
    sa.Column("hidden", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
    sa.Column("recorded", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
    sqlite_with_rowid=False,
)

legs = sa.Table(
    "legs",
    metadata,
    # No foreign key: the worker alone writes both, in one transaction, and it is on the path of every call.
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("transport", sa.Text, nullable=False),
    sa.Column("codec", sa.Text),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("answered", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("cause", sa.Text, nullable=False),
    # How the party was heard; all of them, or none where it wasn't measured.
    sa.Column("mos", sa.Double),
    sa.Column("loss_percent", sa.Double),
    sa.Column("jitter_ms", sa.Double),
    sa.Column("round_trip_ms", sa.Double),
    sa.Column("media", sa.Text),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("number", sa.Text, nullable=False, server_default=""),
    sa.Column("direction", sa.Text, nullable=False, server_default=""),
    sa.Column("reached", sa.Text, nullable=False, server_default=""),
    sa.Column("via", sa.Text, nullable=False, server_default=""),
    sa.Column("sip_call_id", sa.Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

call_terms = sa.Table(
    "call_terms",
    metadata,
    # What a call is found by (pbx.store.calls.terms_of). Ids of calls grow with time, so that the calls of a
    # term lie in their order.
    sa.Column("term", sa.Text, primary_key=True),
    sa.Column("call_id", sa.Text, primary_key=True),
    sqlite_with_rowid=False,
)

intervals = sa.Table(
    "intervals",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("legs", sa.Text, nullable=False),  # names with blanks between
    sa.Column("place", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

call_parents = sa.Table(
    "call_parents",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("parent", sa.Text, nullable=False, index=True),
    sqlite_with_rowid=False,
)

journal_position = sa.Table(
    "journal_position",
    metadata,
    # The identity in a segment's header, not its number: a wiped journal may count from 1 again.
    sa.Column("segment", sa.Text, primary_key=True),
    sa.Column("imported_bytes", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.Boolean(create_constraint=False), nullable=False),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("class_name", sa.Text, nullable=False),
    sa.Column("site", sa.Text),
    sa.Column("groups", sa.Text, nullable=False),  # a JSON list of names
    sa.Column("mobile", sa.Text),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("sign_in", sa.Text, primary_key=True),
    sa.Column(
        "extension",
        sa.Text,
        sa.ForeignKey("people.extension", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("realm", sa.Text, nullable=False),
    sa.Column("ha1_md5", sa.Text, nullable=False),
    sa.Column("ha1_sha256", sa.Text, nullable=False),
    sa.Column("site", sa.Text),
    sa.Column("md5_only", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="desk"),
    sa.Column("label", sa.Text, nullable=False, server_default=""),
    sa.Column("sealed_password", sa.LargeBinary),  # under the node's key; none of devices made before
)

photos = sa.Table(
    "photos",
    metadata,
    # No foreign key here and below: people who are written in the plan have them too.
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("changed", sa.Double, nullable=False),
)

absence_notes = sa.Table(
    "absence_notes",
    metadata,
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", sa.Double, nullable=False),
)

favourites = sa.Table(
    "favourites",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),  # as pbx.people.search names it
)

call_notes = sa.Table(
    "call_notes",
    metadata,
    # No foreign keys: a note may be written while the call goes on, before there is a record of it.
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("written_at", sa.Double, nullable=False),
)

missed_seen = sa.Table(
    "missed_seen",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("until", sa.Double, nullable=False),
)

people_revision = sa.Table(
    "people_revision",
    metadata,
    # One row, one more at each change of people or devices: the worker exports the directory when it moved.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),  # the sign-in name
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("extension", sa.Text, nullable=False),  # "" for none
    sa.Column("roles", sa.Text, nullable=False),  # with blanks between
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),  # "" where another server knows it, or nobody yet
    sa.Column("password_at", sa.Double),
    sa.Column("must_change", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("disabled", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("source", sa.Text, nullable=False),  # local, openid or ldap
    sa.Column("totp_sealed", sa.LargeBinary),
    sa.Column("totp_step", sa.BigInteger, nullable=False),  # the last one that was taken
    sa.Column("handle", sa.Text, nullable=False, unique=True),  # what passkeys know the account by
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("last_sign_in_at", sa.Double),
    # Who it is at an OpenID Connect provider: issuer, blank, `sub`; "" before the first time.
    sa.Column("subject", sa.Text, nullable=False, server_default=""),
)
_WITH_SUBJECT = accounts.c.subject != ""
sa.Index(
    "accounts_subject",
    accounts.c.subject,
    unique=True,
    sqlite_where=_WITH_SUBJECT,
    postgresql_where=_WITH_SUBJECT,
)
_WITH_EXTENSION = accounts.c.extension != ""
sa.Index(
    "accounts_extension",
    accounts.c.extension,
    unique=True,
    sqlite_where=_WITH_EXTENSION,
    postgresql_where=_WITH_EXTENSION,
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("account", sa.ForeignKey("accounts.account", ondelete="CASCADE"), nullable=False, index=True),
)

passkeys = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # the credential's, base64url
    sa.Column("account", sa.ForeignKey("accounts.account", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("transports", sa.Text, nullable=False),  # with blanks between
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("last_used_at", sa.Double),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("account", sa.ForeignKey("accounts.account", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("begun_at", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False),
    sa.Column("idle_seconds", sa.Double, nullable=False),
    sa.Column("proved_at", sa.Double, nullable=False),
    sa.Column("second_factor", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("device", sa.Text, nullable=False),
)

links = sa.Table(
    "links",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),  # "" where it is for nobody yet
    sa.Column("ends_at", sa.Double, nullable=False),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("account", sa.ForeignKey("accounts.account", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),  # rights with blanks between
    sa.Column("networks", sa.Text, nullable=False),  # with blanks between, "" for anywhere
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("ends_at", sa.Double, nullable=False),
    sa.Column("last_used_at", sa.Double),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kinds", sa.Text, nullable=False),  # of events, with blanks between
    sa.Column("secret_sealed", sa.LargeBinary, nullable=False),
    # Somebody said on purpose that the URL may lead into a network of our own.
    sa.Column("private_address", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
)

webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("webhook", sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("made_at", sa.Double, nullable=False),
    sa.Column("next_at", sa.Double, index=True),  # of the next try; nothing when there is none
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("ended_at", sa.Double),
    sa.Column("status", sa.Integer, nullable=False),  # of HTTP, 0 where no answer came
    sa.Column("trouble", sa.Text, nullable=False),  # "" where it was taken
)

repeatable_requests = sa.Table(
    "repeatable_requests",
    metadata,
    # Of requests with an idempotency key, for a day (pbx.web.repeats).
    sa.Column("actor", sa.Text, primary_key=True),
    sa.Column("idempotency_key", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),  # of the whole request
    sa.Column("process", sa.Text, nullable=False),  # which carries it out, or did
    sa.Column("begun_at", sa.Double, nullable=False, index=True),
    sa.Column("status", sa.Integer, nullable=False),  # of the answer, 0 before there is one
    sa.Column("answer_sealed", sa.LargeBinary, nullable=False),  # it may hold what is shown once
)

push_subscriptions = sa.Table(
    "push_subscriptions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # made from the browser's address at its push service
    sa.Column("account", sa.ForeignKey("accounts.account", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("subscription_sealed", sa.LargeBinary, nullable=False),  # that address, and the browser's keys
    sa.Column("kinds", sa.Text, nullable=False),  # what it is told of, with blanks between
    sa.Column("device", sa.Text, nullable=False),  # what the browser says it is
    sa.Column("created_at", sa.Double, nullable=False),
)
# Desk telephones that configure themselves (pbx.phones). What proves one is kept as hashes.
phones = sa.Table(
    "phones",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),  # a MAC address, or the name of a program
    sa.Column("brand", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("site", sa.Text, nullable=False),
    sa.Column("old_tls", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("first_seen_at", sa.Double, nullable=False),
    sa.Column("last_seen_at", sa.Double, nullable=False),
    sa.Column("address", sa.Text, nullable=False),  # where it was seen last
    sa.Column("secret_hash", sa.Text, nullable=False, index=True),
    sa.Column("former_secret_hash", sa.Text, nullable=False, index=True),
    sa.Column("token_hash", sa.Text, nullable=False, index=True),
    sa.Column("token_at", sa.Double, nullable=False),
    sa.Column("token_used", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("approved_at", sa.Double, nullable=False),
    sa.Column("rotates", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("own_settings", sa.Text, nullable=False),  # a JSON object
    sa.Column("keys", sa.Text, nullable=False),  # a JSON list of kind, number, label
)
phone_lines = sa.Table(
    "phone_lines",
    metadata,
    sa.Column("phone", sa.ForeignKey("phones.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("sign_in", sa.ForeignKey("devices.sign_in", ondelete="CASCADE"), nullable=False, unique=True),
)
phone_fetches = sa.Table(
    "phone_fetches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("name", sa.Text, nullable=False, index=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("transport", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),  # without secrets
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
phone_keys = sa.Table(
    "phone_keys",
    metadata,
    # No foreign key: people of the plan have keys too.
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("keys", sa.Text, nullable=False),  # a JSON list of kind, number, label
)
# What becomes of desk telephones after their first day: waves of them, and what each has fetched.
phone_waves = sa.Table(
    "phone_waves",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("begun_at", sa.Double, nullable=False),
    sa.Column("over_at", sa.Double, nullable=False, index=True),  # 0.0 while it goes on
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),  # "": somebody's wish
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("hour_from", sa.Integer, nullable=False),
    sa.Column("hour_until", sa.Integer, nullable=False),
    sa.Column("stopped", sa.Text, nullable=False),  # why, "" for not
)
phone_wave_members = sa.Table(
    "phone_wave_members",
    metadata,
    sa.Column("wave", sa.ForeignKey("phone_waves.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("phone", sa.ForeignKey("phones.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("settled_at", sa.Double, nullable=False),
)
phone_settings = sa.Table(
    "phone_settings",
    metadata,
    sa.Column("phone", sa.ForeignKey("phones.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("fetched_at", sa.Double, nullable=False),  # 0.0 for never
    sa.Column("fetched", sa.Text, nullable=False),  # the digest of what it has
    sa.Column("wanted", sa.Text, nullable=False),  # the digest of what it is to have, "" for unknown
)
phone_passwords = sa.Table(
    "phone_passwords",  # made, and not yet fetched: the one before works until then
    metadata,
    sa.Column("sign_in", sa.ForeignKey("devices.sign_in", ondelete="CASCADE"), primary_key=True),
    sa.Column("ha1_md5", sa.Text, nullable=False),
    sa.Column("ha1_sha256", sa.Text, nullable=False),
    sa.Column("sealed_password", sa.LargeBinary, nullable=False),
    sa.Column("made_at", sa.Double, nullable=False),
)
