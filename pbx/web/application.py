"""The application of the web process: the routes in their frame."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from pbx.accounts.account import AccountError
from pbx.audit.journal import AuditUnavailable
from pbx.web.figures import Figures
from pbx.web.frame import Frame
from pbx.web.node import Node
from pbx.web.pages import Pages, pages_folder
from pbx.web.problems import Problem, invalid, of_status, problem_response
from pbx.web.repeats import Repeats
from pbx.web.routes import AT_THE_ROOT, ROUTERS

log = logging.getLogger(__name__)

PREFIX = "/api/v1"


def application(node: Node) -> FastAPI:
    """Return the application of a node, which is started and stopped with it (its lifespan)."""
    made = FastAPI(
        title="Beffroi",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        strict_content_type=True,
    )
    made.state.node = node
    made.state.figures = figures = Figures()
    made.add_exception_handler(Problem, _problem)
    made.add_exception_handler(AccountError, _of_account)
    made.add_exception_handler(AuditUnavailable, _unjournalled)
    made.add_exception_handler(HTTPException, _framework)
    made.add_exception_handler(RequestValidationError, _not_valid)
    for router in AT_THE_ROOT:
        made.include_router(router)
    for router in ROUTERS:
        made.include_router(router, prefix=PREFIX)
    made.mount("/", Pages(pages_folder()))
    made.add_middleware(Repeats, node=node)
    made.add_middleware(Frame, node=node, figures=figures)
    return made


@asynccontextmanager
async def _lifespan(made: FastAPI) -> AsyncIterator[None]:
    node: Node = made.state.node
    await node.start()
    yield
    await node.stop()


async def _problem(connection: HTTPConnection, error: Exception) -> Response:
    assert isinstance(error, Problem)
    response = problem_response(error, connection.state.request_id)
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(response)
    return response


async def _unjournalled(request: Request, error: Exception) -> Response:
    log.error("%s", error)
    detail, mend = (
        "this can't be written into the audit journal",
        "is the disk full? `beffroi doctor` says more",
    )
    return problem_response(Problem(503, "audit_unavailable", detail, mend=mend), request.state.request_id)


async def _of_account(request: Request, error: Exception) -> Response:
    assert isinstance(error, AccountError)
    headers = {"Retry-After": str(error.wait_seconds)} if error.wait_seconds else {}
    problem = Problem(
        error.status, error.code, str(error), mend=error.mend, where=error.where, headers=headers
    )
    return problem_response(problem, request.state.request_id)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = of_status(error.status_code, error.detail, error.headers)
    return problem_response(problem, request.state.request_id)


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem_response(invalid(error.errors()), request.state.request_id)
