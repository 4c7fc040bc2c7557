"""The web process: the HTTP API, the events socket and the pages.

    browser, program ──> process (sockets, TLS, slow clients)
                           └> frame (host, size, headers, rates)
                                └> application (routes, access) ──> Node ─┬─> signalling, recorder (sockets)
                                                                          └─> database (threads)

Nothing else imports this package: FastAPI costs half a second and 40 MB, and no call waits for a page.
"""
