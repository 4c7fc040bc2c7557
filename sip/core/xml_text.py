"""Text in the XML documents that we send: whatever it holds, the document stays well formed."""

from __future__ import annotations

import re
from html import escape

# XML 1.0 section 2.2: what no document may hold, escaped or not
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def xml_text(text: str) -> str:
    """`text` for element content and for an attribute in quotes; what XML can't hold becomes U+FFFD."""
    return escape(_NOT_XML.sub("\ufffd", text))
