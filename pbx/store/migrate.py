"""Bring a database to the newest schema in a process of its own: Alembic weighs 12 MB, and would stay."""

import logging
import subprocess
import sys

log = logging.getLogger(__name__)


def migrate_apart(url: str) -> None:
    """Migrate the database that a configuration's `database` names, and wait for the end of it.

    A failure is left to `upgrade`, called next by the caller: it finds the work done, or says what is wrong.
    """
    # The URL may hold a password: it isn't given where `ps` would show it.
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, input=url, text=True, stderr=subprocess.DEVNULL, check=False)  # noqa: S603 (us)
    log.info("database migrated apart status=%d", done.returncode)


if __name__ == "__main__":
    from pbx.store.database import open_database
    from pbx.store.revision import upgrade

    upgrade(open_database(sys.stdin.read()))
