"""The pages in Chromium, on a node that runs with the sample town.

    @pytest.mark.xdist_group("browser-people")
    async def test_the_list_filters_as_one_types(sign_in: SignIn) -> None:
        page = await sign_in("administrator", path="/people")
        await page.get_by_label("Filtrer").fill("alice")
        await check_page(page, "people")

Tests here are `peer` tests by their folder; they and their fixtures share one event loop for the session,
since a browser belongs to the loop that started it.
"""
