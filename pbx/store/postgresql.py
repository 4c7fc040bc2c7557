"""PostgreSQL: asyncpg on an event loop of its own, where SQLAlchemy's greenlets let the callers' synchronous
functions run.
"""

import asyncio

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from pbx.store.database import Result, Work, unavailable

CONNECT_SECONDS = 5.0


class PostgresqlDatabase:
    """A server. Its commits are durable by themselves."""

    def __init__(self, url: sa.URL) -> None:
        self._runner = asyncio.Runner()
        self._engine: AsyncEngine = create_async_engine(
            url, poolclass=NullPool, connect_args={"timeout": CONNECT_SECONDS}
        )

    def read(self, work: Work[Result]) -> Result:
        return self.write(work)

    def write(self, work: Work[Result], *, durable: bool = False) -> Result:
        with unavailable():
            return self._runner.run(self._transaction(work))

    async def _transaction(self, work: Work[Result]) -> Result:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    def close(self) -> None:
        self._runner.run(self._engine.dispose())
        self._runner.close()
