"""The web process of a first run: the page of the five questions, served until they are answered.

serve_first_run ──> run_web with a provisional configuration, until `FirstRun.ended`
                └─> True: the configuration is there, the node can start
"""

from __future__ import annotations

import json
import socket
from contextlib import closing

from pbx.configuration import Configuration
from pbx.node.first_run import ORIGINS, Place, origins
from pbx.node.sealing import sealing
from pbx.plans.in_force import PlanInForce
from pbx.store.database import open_database
from pbx.supervisor import bound
from pbx.web.process import run_web
from pbx.web.routes.first_run import FirstRun


def serve_first_run(configuration: Configuration, *, listen: str, web: str) -> bool:
    """Serve the page until the town is made; returns whether it was, False when told to stop.

    configuration: `pbx.node.first_run.provisional`, whose database is there. listen, web: addresses to write
    down, "" for the usual ones. Raises StartError.
    """
    sockets = [
        (bound(one, socket.SOCK_STREAM), configuration.web.is_tls(one)) for one in configuration.web.listen
    ]
    heard = configuration.data_dir / ORIGINS
    heard.write_text(json.dumps(origins(configuration)), encoding="utf-8")
    try:
        with closing(open_database(configuration.database)) as database:
            seals = sealing(configuration.node_key_file)
            place = Place(configuration.path.parent, database, seals, listen, web)
            going_on = FirstRun(place)
            run_web(configuration, sockets, PlanInForce(configuration.plan), going_on)
            return going_on.is_installed and not going_on.is_stopped
    finally:
        heard.unlink(missing_ok=True)
        for one, _ in sockets:
            one.close()
