"""What atheris runs: bytes into the parser; anything but a message or a ParseError is a crash.

A process of its own, because atheris rewrites what it measures and ends by itself.
"""

import importlib
import sys

atheris = importlib.import_module("atheris")  # scripts/setup soak

with atheris.instrument_imports(include=["sip"]):
    from sip.core.errors import RemoteProtocolError
    from sip.core.inspection import inspect
    from sip.core.message import Request
    from sip.core.parser import StreamParser, parse_message


def one(data: bytes) -> None:
    """Read one input as a datagram, and as a stream."""
    try:
        message = parse_message(data)
        _ = message.via, message.to, message.from_, message.cseq, message.call_id, message.contacts
        if isinstance(message, Request):
            inspect(message)
    except RemoteProtocolError:
        pass
    parser = StreamParser()
    try:
        parser.feed(data[: len(data) // 2])
        parser.feed(data[len(data) // 2 :])
    except RemoteProtocolError:
        pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
