"""The torture test messages of RFC 4475, one or more tests for each, named as the RFC names it.

Where the RFC leaves a choice, the docstring says what a registrar and B2BUA does here.
"""

from __future__ import annotations

import pytest

from sip.core.errors import ParseError
from sip.core.message import Request, Response
from sip.core.name_addr import NameAddr
from sip.core.parser import StreamParser, parse_message
from sip.core.registrar import bind, contact_lines
from sip.core.uri import SipUri, equal
from tests.sip.torture.endpoint import Endpoint, accepted, dropped, refused
from tests.sip.torture.notation import message


def request(name: str) -> Request:
    parsed = parse_message(message(name))
    assert isinstance(parsed, Request)
    return parsed


def response(name: str) -> Response:
    parsed = parse_message(message(name))
    assert isinstance(parsed, Response)
    return parsed


# 3.1.1 Valid messages


def test_wsinv_a_short_tortuous_invite() -> None:
    """RFC 4475 section 3.1.1.1: every element treats it as well formed."""
    invite = accepted("wsinv")
    assert invite.method == "INVITE"
    assert SipUri.parse(invite.uri).parameters == {"unknownparam": ""}
    assert invite.cseq == (9, "INVITE")
    assert invite.max_forwards == 68
    assert invite.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert (invite.to.uri, invite.to.tag) == ("sip:vivekg@chair-dnrc.example.com", "1918181833n")
    assert (invite.from_.display, invite.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert invite.from_.uri == "sip:jdrosen@example.com"
    assert len(invite.body) == 150


def test_wsinv_vias_in_long_and_short_form_and_in_one_line_are_one_list() -> None:
    """RFC 4475 section 3.1.1.1."""
    vias = request("wsinv").vias
    assert [(via.transport, via.host, via.branch) for via in vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]


def test_wsinv_route_and_contact_keep_uri_and_header_parameters_apart() -> None:
    """RFC 4475 section 3.1.1.1."""
    invite = request("wsinv")
    route = NameAddr.parse(invite.only("route"))
    assert route.sip_uri.parameters == {"lr": "", "unknownwith": "value", "unknown-no-value": ""}
    assert route.parameters == {}
    assert invite.contact.display == 'Quoted string ""'
    assert invite.contact.uri == "sip:jdrosen@example.com"
    assert invite.contact.parameters == {"newparam": "newvalue", "secondparam": "", "q": "0.33"}


def test_wsinv_unknown_headers_are_unfolded_and_otherwise_left_alone() -> None:
    """RFC 4475 section 3.1.1.1."""
    invite = request("wsinv")
    assert invite.only("newfangledheader") == "newfangled value continued newfangled value"
    assert invite.only("unknownheaderwithunusualvalue") == ";;,,;;,;"
    assert invite.only("subject") == ""


def test_intmeth_wide_range_of_valid_characters() -> None:
    """RFC 4475 section 3.1.1.2: a parser accepts it."""
    unusual = request("intmeth")
    assert unusual.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert unusual.cseq == (139122385, unusual.method)
    uri = SipUri.parse(unusual.uri)
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert uri.host == "example.com"
    assert unusual.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert unusual.max_forwards == 255
    assert unusual.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert unusual.only("extensionheader-!.%*+_`'~") == "\ufeff大停電"


def test_intmeth_a_quoted_null_is_part_of_the_display_name() -> None:
    """RFC 4475 section 3.1.1.2."""
    to = request("intmeth").to
    assert to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert to.sip_uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"


def test_intmeth_a_display_name_of_tokens_and_a_parameter_in_cyrillic() -> None:
    """RFC 4475 section 3.1.1.2."""
    from_ = request("intmeth").from_
    assert from_.display == "token1~` token2'+_ token3*%!.-"
    assert from_.parameters["fromparam''~+*_!.-%"] == '"работающий"'
    assert from_.tag == "_token~1'+`*%!-."


def test_intmeth_an_endpoint_answers_501_with_the_methods_it_knows() -> None:
    """RFC 4475 section 3.1.1.2."""
    answer = refused("intmeth", "TCP")
    assert answer.status == 501
    assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"} <= set(answer.values("allow"))
    assert answer.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"


def test_esc01_valid_use_of_the_percent_escaping_mechanism() -> None:
    """RFC 4475 section 3.1.1.3: escapes mean the character, and are undone once."""
    invite = accepted("esc01")
    uri = SipUri.parse(invite.uri)
    assert (uri.user, uri.host) == ("sips:user@example.com", "example.net")
    assert invite.to.sip_uri.user == "user"
    assert invite.from_.sip_uri.user == "I have spaces"
    assert invite.only("content-type") == "application/sdp"
    contact = invite.contact.sip_uri
    assert contact.user == "caller"
    assert contact.parameters.keys() == {"lr", "name"}
    assert equal(contact, SipUri.parse("sip:caller@host5.example.net;lr;name=value%25%34%31"))


def test_escnull_escaped_nulls_in_uris() -> None:
    """RFC 4475 section 3.1.1.4: the user isn't cut at the null, and these are two contacts."""
    register = accepted("escnull")
    assert register.to.sip_uri.user == "null-\x00-null"
    assert register.from_.sip_uri.user == "null-\x00-null"
    first, second = (contact.sip_uri for contact in register.contacts)
    assert (first.user, second.user) == ("\x00", "\x00\x00")
    assert not equal(first, second)


def test_escnull_a_registrar_binds_two_contacts() -> None:
    """RFC 4475 section 3.1.1.4."""
    bindings = bind((), accepted("escnull"), "null", 0.0)
    assert [binding.contact for binding in bindings] == [
        "sip:%00@host5.example.com",
        "sip:%00%00@host5.example.com",
    ]


def test_esc02_use_of_percent_when_it_is_not_an_escape() -> None:
    """RFC 4475 section 3.1.1.5: a parser accepts it; method, names and header names aren't unescaped."""
    unknown = request("esc02")
    assert unknown.method == "RE%47IST%45R"
    assert unknown.cseq == (29344, "RE%47IST%45R")
    assert unknown.to.display == "%Z%45"
    assert unknown.from_.display == "%Z%45"
    assert unknown.via.branch == "z9hG4bK209%fzsnel234"
    assert [contact.uri for contact in unknown.contacts] == [
        "sip:alias1@host1.example.com",
        "sip:alias3@host3.example.com",
    ]
    assert unknown.only("c%6fntact") == "<sip:alias2@host2.example.com>"


def test_esc02_an_endpoint_answers_501() -> None:
    """RFC 4475 section 3.1.1.5."""
    assert refused("esc02", "TCP").status == 501


def test_lwsdisp_message_with_no_lws_between_display_name_and_bracket() -> None:
    """RFC 4475 section 3.1.1.6."""
    options = accepted("lwsdisp")
    assert options.from_.display == "caller"
    assert options.from_.uri == "sip:caller@example.com"
    assert options.from_.tag == "323"


def test_longreq_long_values_in_header_fields() -> None:
    """RFC 4475 section 3.1.1.7."""
    invite = accepted("longreq", "TCP")
    assert invite.to.display == f"I have a user name of {'extreme' * 10} proportion"
    parameters = invite.to.sip_uri.parameters
    assert parameters["unknownparam1"] == f"very{'long' * 20}value"
    assert parameters[f"longparam{'name' * 25}"] == "shortvalue"
    assert parameters[f"very{'long' * 25}parameternamewithnovalue"] == ""
    assert invite.to.sip_uri.port == 6000
    assert invite.from_.sip_uri.user == "amazinglylongcallername" * 5
    assert invite.from_.tag == f"12{'982' * 50}424"
    assert invite.call_id == f"longreq.one{'really' * 20}longcallid"
    assert invite.contact.sip_uri.user == "amazinglylongcallername" * 5
    assert len(invite.body) == 150


def test_longreq_34_vias_in_every_spelling_are_one_list() -> None:
    """RFC 4475 section 3.1.1.7."""
    vias = request("longreq").vias
    hosts = [f"sip{number}.example.com" for number in range(33, 0, -1)]
    assert [via.host for via in vias] == [*hosts, "host.example.com"]
    assert vias[-1].branch == f"very{'long' * 50}branchvalue"
    assert vias[-1].parameters["received"] == "192.0.2.5"


def test_dblreq_extra_trailing_octets_in_a_udp_datagram() -> None:
    """RFC 4475 section 3.1.1.8: what follows the REGISTER in the datagram is noise."""
    register = accepted("dblreq")
    assert register.method == "REGISTER"
    assert register.call_id == "dblreq.0ha0isndaksdj99sdfafnl3lk233412"
    assert register.body == b""


def test_semiuri_semicolon_separated_parameters_in_uri_user_part() -> None:
    """RFC 4475 section 3.1.1.9."""
    options = accepted("semiuri")
    uri = SipUri.parse(options.uri)
    assert uri.user == "user;par=u@example.net"
    assert uri.host == "example.com"
    assert uri.parameters == {}
    assert options.tokens("accept") == [
        "application/sdp",
        "application/pkcs7-mime",
        "multipart/mixed",
        "multipart/signed",
        "message/sip",
        "message/sipfrag",
    ]


def test_transports_varied_and_unknown_transport_types() -> None:
    """RFC 4475 section 3.1.1.10."""
    options = accepted("transports")
    assert [via.transport for via in options.vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_mpart01_multipart_mime_message() -> None:
    """RFC 4475 section 3.1.1.11: the binary part has nulls and line ends, and arrives whole."""
    body = request("mpart01").body
    assert len(body) == 553
    assert body.startswith(b"--7a9cbec02ceef655\r\n")
    assert body.endswith(b"\r\n--7a9cbec02ceef655--\r\n")
    binary = body.split(b"\r\n\r\n")[2].removesuffix(b"\r\n--7a9cbec02ceef655--\r\n")
    assert len(binary) == 342
    assert binary.count(b"\x00") == 2


def test_mpart01_is_framed_on_a_stream_by_its_length_alone() -> None:
    """RFC 4475 section 3.1.1.11."""
    assert StreamParser().feed(message("mpart01") * 2) == [message("mpart01")] * 2


def test_unreason_unusual_reason_phrase() -> None:
    """RFC 4475 section 3.1.1.12."""
    ok = response("unreason")
    assert ok.status == 200
    assert ok.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert ok.cseq == (35, "INVITE")
    assert ok.body.startswith(b"v=0\r\n")


def test_noreason_empty_reason_phrase() -> None:
    """RFC 4475 section 3.1.1.13."""
    trying = response("noreason")
    assert trying.status == 100
    assert trying.reason == ""


def test_noreason_without_its_space_is_accepted_too() -> None:
    """RFC 4475 section 3.1.1.13: a liberal receiver accepts it."""
    trying = parse_message(message("noreason").replace(b"SIP/2.0 100 \r\n", b"SIP/2.0 100\r\n"))
    assert isinstance(trying, Response)
    assert (trying.status, trying.reason) == (100, "")


# 3.1.2 Invalid messages


def test_badinv01_extraneous_header_field_separators() -> None:
    """RFC 4475 section 3.1.2.1: 400, sent to where it came from, for its Via can't be read."""
    answer = refused("badinv01")
    assert answer.status == 400
    assert answer.call_id == "badinv01.0ha0isndaksdjasdf3234nas"


def test_badinv01_the_separators_in_its_contact_alone_are_a_bad_request() -> None:
    """RFC 4475 section 3.1.2.1."""
    endpoint = Endpoint()
    mended = message("badinv01").replace(b";;,;,,", b";branch=z9hG4bKmended")
    assert [answer.status for answer in endpoint.receive(mended)] == [400]


def test_clerr_content_length_larger_than_message() -> None:
    """RFC 4475 section 3.1.2.2."""
    assert refused("clerr").status == 400


def test_clerr_on_a_stream_waits_for_the_rest() -> None:
    """RFC 4475 section 3.1.2.2: closing the connection in time is the shell's work."""
    parser = StreamParser()
    assert parser.feed(message("clerr")) == []
    assert parser.pending == len(message("clerr"))


def test_ncl_negative_content_length() -> None:
    """RFC 4475 section 3.1.2.3."""
    assert refused("ncl").status == 400


@pytest.mark.parametrize("length", [b"-999", b"five"])
def test_ncl_on_a_stream_is_the_end_of_the_connection(length: bytes) -> None:
    """RFC 4475 section 3.1.2.3: the framing error can't be recovered from; the same for `five`."""
    with pytest.raises(ParseError):
        StreamParser().feed(message("ncl").replace(b"-999", length))


def test_ncl_a_length_that_is_no_number_is_a_bad_request() -> None:
    """RFC 4475 section 3.1.2.3."""
    answers = Endpoint().receive(message("ncl").replace(b"-999", b"five"))
    assert [answer.status for answer in answers] == [400]


def test_scalar02_request_scalar_fields_with_overlarge_values() -> None:
    """RFC 4475 section 3.1.2.4: 400 because of CSeq."""
    assert refused("scalar02", "TCP").status == 400


def test_scalar02_overlarge_values_raise_when_touched_and_nowhere_wrap() -> None:
    """RFC 4475 section 3.1.2.4."""
    register = request("scalar02")
    for touch in (lambda: register.cseq, lambda: register.max_forwards, lambda: register.expires):
        with pytest.raises(ParseError):
            touch()


def test_scalarlg_response_scalar_fields_with_overlarge_values() -> None:
    """RFC 4475 section 3.1.2.5: an element simply discards it."""
    assert dropped("scalarlg", "TCP") == "malformed"


def test_quotbal_unterminated_quoted_string_in_display_name() -> None:
    """RFC 4475 section 3.1.2.6."""
    assert refused("quotbal").status == 400


def test_ltgtruri_angle_brackets_enclosing_request_uri() -> None:
    """RFC 4475 section 3.1.2.7: always rejected here."""
    assert refused("ltgtruri").status == 400


def test_lwsruri_malformed_sip_request_uri_embedded_lws() -> None:
    """RFC 4475 section 3.1.2.8."""
    assert refused("lwsruri").status == 400


def test_lwsstart_multiple_sp_separating_request_line_elements() -> None:
    """RFC 4475 section 3.1.2.9: may be rejected or tolerated; rejected here."""
    assert refused("lwsstart").status == 400


def test_trws_sp_characters_at_end_of_request_line() -> None:
    """RFC 4475 section 3.1.2.10: may be rejected or tolerated; rejected here."""
    assert refused("trws", "TCP").status == 400


def test_escruri_escaped_headers_in_sip_request_uri() -> None:
    """RFC 4475 section 3.1.2.11: may be rejected; rejected here, so that nobody takes the header for one."""
    assert refused("escruri").status == 400


def test_baddate_invalid_time_zone_in_date_header_field() -> None:
    """RFC 4475 section 3.1.2.12: not rejected, because Date doesn't matter to a call."""
    assert accepted("baddate").only("date") == "Fri, 01 Jan 2010 16:00:00 EST"


def test_regbadct_failure_to_enclose_name_addr_uri_in_brackets() -> None:
    """RFC 4475 section 3.1.2.13: rejected, as inferring the brackets won't be possible in general."""
    assert refused("regbadct").status == 400


def test_badaspec_spaces_within_addr_spec() -> None:
    """RFC 4475 section 3.1.2.14: may be rejected or tolerated; rejected here."""
    assert refused("badaspec").status == 400


def test_baddn_non_token_characters_in_display_name() -> None:
    """RFC 4475 section 3.1.2.15: always rejected here."""
    assert refused("baddn").status == 400


def test_baddn_is_rejected_for_its_names_also_with_an_empty_line_at_its_end() -> None:
    """RFC 4475 section 3.1.2.15: the archive's message lacks the empty line, which isn't its point."""
    assert [answer.status for answer in Endpoint().receive(message("baddn") + b"\r\n")] == [400]


def test_badvers_unknown_protocol_version() -> None:
    """RFC 4475 section 3.1.2.16."""
    assert refused("badvers").status == 505


def test_mismatch01_start_line_and_cseq_method_mismatch() -> None:
    """RFC 4475 section 3.1.2.17."""
    assert refused("mismatch01").status == 400


def test_mismatch02_unknown_method_with_cseq_method_mismatch() -> None:
    """RFC 4475 section 3.1.2.18: 501 rather than 400, which the RFC calls future-proof."""
    assert refused("mismatch02").status == 501


def test_bigcode_overlarge_response_code() -> None:
    """RFC 4475 section 3.1.2.19: simply dropped."""
    assert dropped("bigcode") == "malformed"


# 3.2 Transaction layer semantics


def test_badbranch_missing_transaction_identifier() -> None:
    """RFC 4475 section 3.2.1: the rules of RFC 2543 find the transaction instead."""
    endpoint = Endpoint()
    assert endpoint.receive(message("badbranch")) == []
    assert endpoint.receive(message("badbranch")) == []
    assert len(endpoint.accepted) == 1
    assert endpoint.stack.counts["retransmission"] == 1


def test_badbranch_another_request_without_identifier_is_another_transaction() -> None:
    """RFC 4475 section 3.2.1."""
    endpoint = Endpoint()
    endpoint.receive(message("badbranch"))
    endpoint.receive(message("badbranch").replace(b"CSeq: 8 ", b"CSeq: 9 "))
    assert [options.cseq[0] for options in endpoint.accepted] == [8, 9]


# 3.3 Application-layer semantics


def test_insuf_missing_required_header_fields() -> None:
    """RFC 4475 section 3.3.1: answered with what there is."""
    answer = refused("insuf")
    assert answer.status == 400
    assert answer.via.branch == "z9hG4bKkdj.insuf"
    assert answer.cseq == (193942, "INVITE")
    assert not {"call-id", "from"} & answer.headers.keys()


def test_unkscm_request_uri_with_unknown_scheme() -> None:
    """RFC 4475 section 3.3.2."""
    assert refused("unkscm", "TCP").status == 416


def test_novelsc_request_uri_with_known_but_atypical_scheme() -> None:
    """RFC 4475 section 3.3.3."""
    assert refused("novelsc", "TCP").status == 416


def test_unksm2_unknown_uri_schemes_in_header_fields() -> None:
    """RFC 4475 section 3.3.4: a parser accepts it."""
    register = request("unksm2")
    assert register.to.uri == "isbn:2983792873"
    assert register.from_.uri == "http://www.example.com"
    assert register.contact.uri == "name:John_Smith"


def test_unksm2_a_registrar_answers_400() -> None:
    """RFC 4475 section 3.3.4: an address of record is a SIP or SIPS URI."""
    assert refused("unksm2").status == 400


def test_bext01_proxy_require_and_require() -> None:
    """RFC 4475 section 3.3.5: 420 naming what Require asks for; Proxy-Require is for proxies."""
    answer = refused("bext01", "TLS")
    assert answer.status == 420
    assert answer.tokens("unsupported") == ["nothingsupportsthis", "nothingsupportsthiseither"]


def test_invut_unknown_content_type() -> None:
    """RFC 4475 section 3.3.6: 415 with the types that are accepted."""
    answer = refused("invut")
    assert answer.status == 415
    assert "application/sdp" in answer.tokens("accept")


def test_regaut01_unknown_authorization_scheme() -> None:
    """RFC 4475 section 3.3.7: well formed, and taken as if it had no credentials."""
    register = accepted("regaut01", "TCP")
    assert register.only("authorization") == "NoOneKnowsThisScheme opaque-data=here"
    assert register.only("content-length") == "0"


def test_multi01_multiple_values_in_single_value_required_fields() -> None:
    """RFC 4475 section 3.3.8."""
    assert refused("multi01").status == 400


def test_mcl01_multiple_content_length_values() -> None:
    """RFC 4475 section 3.3.9."""
    assert refused("mcl01").status == 400


def test_mcl01_on_a_stream_is_the_end_of_the_connection() -> None:
    """RFC 4475 section 3.3.9: the framing error can't be recovered from."""
    with pytest.raises(ParseError):
        StreamParser().feed(message("mcl01"))


def test_bcast_200_ok_response_with_broadcast_via_header_field_value() -> None:
    """RFC 4475 section 3.3.10: an endpoint discards it."""
    assert response("bcast").vias[1].host == "255.255.255.255"
    assert dropped("bcast") == "stray response"


def test_zeromf_max_forwards_of_zero() -> None:
    """RFC 4475 section 3.3.11: an endpoint processes it as if it were positive."""
    assert accepted("zeromf").max_forwards == 0


def test_cparam01_register_with_a_contact_header_parameter() -> None:
    """RFC 4475 section 3.3.12: without brackets the parameter is Contact's, not the URI's."""
    contact = accepted("cparam01").contact
    assert contact.parameters == {"unknownparam": ""}
    assert contact.uri == "sip:+19725552222@gw1.example.net"


def test_cparam02_register_with_a_url_parameter() -> None:
    """RFC 4475 section 3.3.13: within brackets it is the URI's."""
    contact = accepted("cparam02").contact
    assert contact.parameters == {}
    assert contact.sip_uri.parameters == {"unknownparam": ""}


def test_regescrt_register_with_a_url_escaped_header() -> None:
    """RFC 4475 section 3.3.14: well formed; the header stays a part of the contact's URI."""
    register = accepted("regescrt")
    assert register.contact.uri == "sip:user@example.com?Route=%3Csip:sip.example.com%3E"
    assert register.contact.sip_uri.headers == "Route=%3Csip:sip.example.com%3E"
    assert "route" not in register.headers


def test_regescrt_the_200_gives_the_contact_back_as_it_was() -> None:
    """RFC 4475 section 3.3.14."""
    bindings = bind((), accepted("regescrt"), "user", 0.0)
    ok = parse_message(f"SIP/2.0 200 OK\r\n{contact_lines(bindings, 0.0)}\r\n".encode())
    assert ok.contact.uri == "sip:user@example.com?Route=%3Csip:sip.example.com%3E"


def test_sdp01_unacceptable_accept_offering() -> None:
    """RFC 4475 section 3.3.15: 406, since the answer couldn't be SDP."""
    assert refused("sdp01").status == 406


# 3.4 Backward compatibility


def test_inv2543_invite_with_rfc_2543_syntax() -> None:
    """RFC 4475 section 3.4.1: no branch, no From tag, no Max-Forwards, and the body is all that follows."""
    invite = accepted("inv2543")
    assert invite.via.branch == ""
    assert invite.from_.tag == ""
    assert invite.from_.sip_uri.parameters == {"user": "phone"}
    assert invite.to.parameters == {"user": "phone"}
    assert invite.max_forwards == 70
    assert len(invite.body) == 105


def test_inv2543_its_retransmission_is_recognised() -> None:
    """RFC 4475 section 3.4.1; RFC 3261 section 17.2.3."""
    endpoint = Endpoint()
    endpoint.receive(message("inv2543"))
    endpoint.receive(message("inv2543"))
    assert len(endpoint.accepted) == 1
