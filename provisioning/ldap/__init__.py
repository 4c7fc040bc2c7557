"""The directory over LDAP (RFC 4511), read only, without input or output.

    octets -> requests.read_request -> conversation.Conversation -> book.Book.search -> answers -> octets

`ber` reads and writes the encoding within bounds, `filters` says what fits a filter.
"""
