"""The database: people and their devices, finished calls, and how far the journal is imported.

Only the worker and the commands import this package: SQLAlchemy costs a third of a second and 25 MB, and no
call waits for a database. `Database` runs functions of a `Connection`, the same ones on SQLite and on
PostgreSQL.
"""
