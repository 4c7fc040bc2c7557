"""The routes, one module a resource, each with a `router`: a module that is here is served."""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import APIRouter

_AT_THE_ROOT = frozenset({"click_pages", "health", "metrics", "sip"})
_FOUND: dict[str, APIRouter] = {
    module.name: import_module(f"{__name__}.{module.name}").router for module in iter_modules(__path__)
}

ROUTERS: tuple[APIRouter, ...] = tuple(
    router for name, router in sorted(_FOUND.items()) if name not in _AT_THE_ROOT
)
"""Those below `/api/v1`, in the order of the document that describes them."""

AT_THE_ROOT: tuple[APIRouter, ...] = tuple(router for name, router in _FOUND.items() if name in _AT_THE_ROOT)
"""Those of programs that watch the node, of SIP, and of the town's site, which are looked for there."""
