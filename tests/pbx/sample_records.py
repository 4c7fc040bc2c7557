"""Records for the tests, each different in its number."""

from pbx.records import Binding, BindingsRecord, CallRecord, LegRecord


def call(number: int) -> CallRecord:
    started = 1_700_000_000.0 + number
    caller = LegRecord(
        "1001", "192.0.2.10:5060", "UDP", "PCMA", started, started + 2.5, started + 9.25, "answered"
    )
    callee = LegRecord("1002", "192.0.2.11:5060", "TCP", None, started + 0.5, None, None, "busy")
    return CallRecord(
        f"{number:016x}",
        started,
        started + 2.5,
        started + 9.25,
        "internal",
        "1001",
        "Alice Martin",
        "1002",
        "1002",
        "answered",
        "abcdef123456",
        [caller, callee],
    )


def bindings(number: int, count: int = 1, *, expires_at: float = 2_000_000_000.0) -> BindingsRecord:
    held = [
        Binding(
            f"sip:{number}@192.0.2.10:{5060 + contact};ob",
            "abcdefghijklmnop@192.0.2.10",
            17,
            1.0,
            expires_at,
            ["<sip:edge.valmont.example;lr>"],
            "UDP",
            ("192.0.2.1", 5060),
            ("192.0.2.10", 5060 + contact),
            "Yealink SIP-T46S 66.85.0.5",
            f"{number}",
            contact == 1,
        )
        for contact in range(count)
    ]
    return BindingsRecord(f"sip:{number}@valmont.example", held)
