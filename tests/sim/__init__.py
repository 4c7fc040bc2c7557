"""The virtual world where scenarios are played: time that jumps, a seeded network, phones, ladders.

    from tests.sim.world import World, scenario

    @scenario()
    async def test_a_phone_that_is_called_rings(world: World) -> None:
        bruno = world.phone("bruno", "192.0.2.2")
        alice = world.phone("alice", "192.0.2.1")
        invite = alice.invite("sip:bruno@192.0.2.2")
        bruno.reply(await bruno.expect("INVITE"), 180)
        await alice.expect(180)
        ...

loop: time; network: hosts, links, NAT; phone and wire: a scripted SIP phone that shares no code with Beffroi;
ladder: what crossed the wire, as text; quiescence: nothing is left; world: all of it together.
"""
