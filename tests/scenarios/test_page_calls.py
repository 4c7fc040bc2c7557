"""Calls of pages: several ring, and a call outlives a connection, a change of network and a reload."""

from __future__ import annotations

from tests.scenarios.pages import Page, close, made, open_page, reload, taken
from tests.scenarios.town import Town, TownPhone, start
from tests.sim.wire import Message
from tests.sim.world import World, scenario


async def answered_page(town: Town, desk: TownPhone, page: Page) -> Message:
    """A desk telephone calls a page, which answers; returns that answer."""
    await desk.call(page.extension)
    answer = page.answer(await page.expect("INVITE"))
    await page.expect("ACK")
    desk.ack(await desk.expect(200))
    await town.world.sleep(0.1)
    return answer


async def calling_page(town: Town, page: Page, desk: TownPhone) -> Message:
    """A page calls a desk telephone, which answers; returns the 200."""
    await page.call(desk.user)
    desk.answer(await desk.expect("INVITE"))
    await desk.expect("ACK")
    answer = await page.expect(200)
    page.ack(answer)
    await town.world.sleep(0.1)
    return answer


async def back(page: Page, call: tuple[str, str, str]) -> Page:
    """The page loaded again, with its call: it knows nothing of the dialog that ends for it."""
    again = await reload(page)
    await again.take_up(call)
    bye, answer = await again.expect_in_any_order("BYE", "200 INVITE")
    again.ack(answer)
    again.reply(bye, 481)
    again.speaks_in(answer)
    return again


# --- Several pages -----------------------------------------------------------------------------------------


@scenario()
async def test_all_pages_of_a_person_ring_and_one_answers(world: World) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    one, other = await open_page(town, "1002", "a"), await open_page(town, "1002", "bb")
    await desk.call("1002")
    first, second = await one.expect("INVITE"), await other.expect("INVITE")
    one.reply(first, 180)
    await desk.expect(180)
    other.answer(second)
    await other.expect("ACK")
    desk.ack(await desk.expect(200))
    one.reply(await one.expect("CANCEL"), 200)
    await town.hang_up(desk, other)


@scenario()
async def test_a_call_to_a_gruu_rings_that_page_alone(world: World) -> None:
    """RFC 5627 section 6.1."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    one, other = await open_page(town, "1002", "a"), await open_page(town, "1002", "bb")
    await desk.call(other.gruu)
    other.answer(await other.expect("INVITE"))
    await other.expect("ACK")
    desk.ack(await desk.expect(200))
    await one.expect_silence(0.1)
    await town.hang_up(desk, other)


@scenario()
async def test_a_gruu_leads_to_the_connection_that_the_page_has_now(world: World) -> None:
    """RFC 5627 section 3.1: it names the page, not the way to it."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    again = await reload(page)
    assert again.gruu == page.gruu
    await desk.call(page.gruu)
    again.answer(await again.expect("INVITE"))
    await again.expect("ACK")
    desk.ack(await desk.expect(200))
    await town.hang_up(desk, again)


# --- Connections -------------------------------------------------------------------------------------------


@scenario()
async def test_a_closed_websocket_alone_ends_no_call(world: World) -> None:
    """The page is there, its connection isn't: it registers over another one and goes on."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await answered_page(town, desk, page)
    await close(page)
    await world.sleep(5)
    await page.connect("WSS")
    await page.sign_in()
    # RFC 5626 section 5.3: requests in its dialog come over the connection that there is.
    desk.bye()
    page.reply(await page.expect("BYE"), 200)
    await desk.expect("200 BYE")
    assert town.calls[-1].cause == "completed"


@scenario()
async def test_a_page_that_registered_anew_before_its_former_connection_broke_is_reached(
    world: World,
) -> None:
    """From one network to another: the former connection is found to be gone much later."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await answered_page(town, desk, page)
    former = page.stream
    assert former is not None
    await page.connect("WSS")
    await page.sign_in()
    await world.sleep(5)
    former.close()
    await world.sleep(1)
    desk.bye()
    bye = await page.expect("BYE")
    assert page.stream is not None
    page.reply(bye, 200)
    await desk.expect("200 BYE")


@scenario()
async def test_the_other_page_of_a_person_never_gets_what_belongs_to_this_one(world: World) -> None:
    """Two tabs are one device: a call follows its own instance."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    other = await open_page(town, "1002", "bb")
    await calling_page(town, page, desk)
    await close(page)
    desk.bye()
    await desk.expect("200 BYE")
    await other.expect_silence(40)


@scenario()
async def test_what_a_page_asks_over_another_connection_moves_its_call_there(world: World) -> None:
    """RFC 3261 section 12.2.2: a re-INVITE over the new connection moves the remote target."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    answer = await calling_page(town, page, desk)
    await page.connect("WSS")
    await page.sign_in()
    page.move(answer)
    page.send("INVITE", within=answer, body=page.sdp(version=2))
    page.ack(await page.expect(200))
    desk.bye()
    bye = await page.expect("BYE")
    assert page.came_over(bye) is page.stream
    page.reply(bye, 200)
    await desk.expect("200 BYE")


@scenario()
async def test_a_page_that_never_comes_back_ends_its_call_as_lost(world: World) -> None:
    """Within some 40 s of silence, as for a telephone whose plug was pulled; nothing is left."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await answered_page(town, desk, page)
    await close(page)
    (call,) = {asked.call for asked in town.engine.asked}
    town.engine.fall_silent(call, "b1", 10.0)
    desk.reply(await desk.expect("BYE", within_seconds=45), 200)
    await world.sleep(0.1)
    assert town.calls[-1].cause == "lost"


# --- Reload ------------------------------------------------------------------------------------------------


@scenario()
async def test_a_page_that_is_loaded_again_goes_on_with_a_call_that_it_answered(world: World) -> None:
    """RFC 3891 section 3. The other party hears nothing of it, and it stays one call."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    answer = await answered_page(town, desk, page)
    again = await back(page, taken(answer))
    await desk.expect_silence(1)
    await town.hang_up(again, desk)
    (record,) = town.calls
    assert record.cause == "completed"
    assert [leg.device for leg in record.legs] == ["2010", "1002-web"]


@scenario()
async def test_a_page_that_is_loaded_again_goes_on_with_a_call_that_it_made(world: World) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    answer = await calling_page(town, page, desk)
    again = await back(page, made(answer))
    await town.hang_up(desk, again)
    (record,) = town.calls
    assert [leg.device for leg in record.legs] == ["1002-web", "2010"]


@scenario()
async def test_a_call_taken_up_over_the_same_connection_ends_its_former_dialog(world: World) -> None:
    """RFC 3891 section 3: whoever replaces a dialog ends it, where there is somebody to tell."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    answer = await answered_page(town, desk, page)
    await page.take_up(taken(answer))
    bye, taken_up = await page.expect_in_any_order("BYE", "200 INVITE")
    page.reply(bye, 200)
    page.ack(taken_up)
    await town.hang_up(desk, page)


@scenario()
async def test_what_the_other_party_changed_meanwhile_is_told_to_the_page_that_came_back(
    world: World,
) -> None:
    """The desk telephone holds while nobody is there: its re-INVITE is answered, and later resumed."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    answer = await answered_page(town, desk, page)
    await close(page)
    desk.send("INVITE", body=desk.sdp(direction="sendonly", version=2))
    desk.ack(await desk.expect(200))
    again = await back(page, taken(answer))
    desk.send("INVITE", body=desk.sdp(version=3))
    desk.ack(await desk.expect(200))
    await town.hang_up(desk, again)


@scenario()
async def test_nobody_else_takes_up_the_call_of_a_page(world: World) -> None:
    """RFC 3891 section 4: 403 for the page of another person."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    stranger = await open_page(town, "1001", "bb")
    answer = await answered_page(town, desk, page)
    await stranger.take_up(taken(answer))
    await stranger.expect(403)
    await town.hang_up(desk, page)


@scenario()
async def test_a_call_that_is_over_is_not_taken_up(world: World) -> None:
    """RFC 3891 section 3: 481."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    answer = await answered_page(town, desk, page)
    await town.hang_up(desk, page)
    again = await reload(page)
    await again.take_up(taken(answer))
    await again.expect(481)


@scenario()
async def test_a_page_that_rings_goes_on_ringing_when_it_is_loaded_again(world: World) -> None:
    """The INVITE of before is lost with its connection; another one follows the REGISTER."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await desk.call("1002")
    page.reply(await page.expect("INVITE"), 180)
    await desk.expect(180)
    again = await reload(page)
    again.answer(await again.expect("INVITE"))
    await again.expect("ACK")
    desk.ack(await desk.expect(200))
    await town.hang_up(desk, again)
    (record,) = town.calls
    assert record.cause == "completed"


@scenario()
async def test_a_page_that_rang_and_never_came_back_is_waited_for_no_longer_than_a_reload_takes(
    world: World,
) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await desk.call("1002")
    page.reply(await page.expect("INVITE"), 180)
    await desk.expect(180)
    await close(page)
    await desk.expect_silence(9)
    await desk.expect(183, within_seconds=2)  # what the caller is told
    await desk.expect(480)


@scenario()
async def test_a_page_that_was_closed_before_the_call_keeps_nobody_waiting(world: World) -> None:
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await close(page)
    await desk.call("1002")
    await desk.expect(183, within_seconds=3)  # what the caller is told
    await desk.expect(480)


@scenario()
async def test_a_page_that_calls_and_is_loaded_again_is_answered_by_its_new_dialog(world: World) -> None:
    """It still rings at the other end: the new INVITE takes the place of the one that nobody waits for."""
    town = await start(world)
    (desk,) = await town.phones("2010")
    page = await open_page(town, "1002", "a")
    await page.call("2010")
    ringing = await desk.expect("INVITE")
    desk.reply(ringing, 180)
    early = await page.expect(180)
    again = await reload(page)
    await again.take_up(made(early))
    await again.expect(180)
    desk.answer(ringing)
    await desk.expect("ACK")
    again.ack(await again.expect(200))
    await town.hang_up(desk, again)
    (record,) = town.calls
    assert [leg.device for leg in record.legs] == ["1002-web", "2010"]


@scenario()
async def test_a_page_in_a_conversation_with_a_service_goes_on_there(world: World) -> None:
    """The echo test (RFC 3891): the service answers the new offer."""
    town = await start(world)
    page = await open_page(town, "1002", "a")
    await page.call("9196")
    answer = await page.expect(200, passing_over=[180, 183])
    page.ack(answer)
    await world.sleep(1)
    again = await back(page, made(answer))
    again.bye()
    await again.expect("200 BYE")
    assert len(town.calls) == 1


@scenario()
async def test_a_page_that_is_loaded_again_in_a_call_for_help_goes_on_with_it(world: World) -> None:
    """Its INVITE names the number that it dialled: that is no second call for help."""
    town = await start(world)
    operator = town.operator("operateur-a")
    page = await open_page(town, "2010", "a")
    page.invite("112")
    operator.answer(await operator.expect("INVITE", passing_over=["OPTIONS", "REGISTER"]))
    await operator.expect("ACK")
    answer = await page.expect(200, passing_over=[180, 183])
    page.ack(answer)
    await world.sleep(1)
    again = await reload(page)
    await again.take_up(made(answer), "112")
    bye, taken_up = await again.expect_in_any_order("BYE", "200 INVITE")
    again.ack(taken_up)
    again.reply(bye, 481)
    again.speaks_in(taken_up)
    await operator.expect_silence(1)
    await town.hang_up(again, operator)
    assert len(town.calls) == 1
