"""A leg that goes on in another call: whoever it is hears no seam. RFC 3550 section 5.1."""

from collections.abc import Callable

from tests.media.phone import Phone, target
from tests.media.process import MediaProcess


async def test_who_stays_over_a_transfer_hears_one_ssrc_from_one_port(
    media: MediaProcess, phones: Callable[..., Phone]
) -> None:
    alice, bob, carol = phones(), phones(), phones()
    bob_sends_to = target(await media.engine.offer("c", "a", "b", alice.sdp("8")))
    alice_sends_to = target(await media.engine.answer("c", "b", "a", bob.sdp("8")))
    await media.engine.query("c")  # what was said before is done
    for _ in range(3):
        alice.send(alice_sends_to)
    before = await bob.receive(3)

    assert await media.engine.move("c", "b", "d", "b1")
    await media.engine.delete("c")
    assert target(await media.engine.offer("d", "a", "b1", carol.sdp("8"))) == bob_sends_to
    carol_sends_to = target(await media.engine.answer("d", "b1", "a", bob.sdp("8")))
    await media.engine.query("d")
    for _ in range(3):
        carol.send(carol_sends_to)
    after = await bob.receive(3)

    assert {source for _, source in before + after} == {bob_sends_to}
    numbers = [int.from_bytes(data[2:4]) for data, _ in before + after]
    assert [number - numbers[0] for number in numbers] == list(range(6))
    assert len({data[8:12] for data, _ in before + after}) == 1

    bob.send(bob_sends_to)
    assert len(await carol.hear(1)) == 1
    assert alice.heard_nothing()
