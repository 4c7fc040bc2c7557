"""Apps of one's own in a real node: taken with the plan, and a plan whose app is wrong is refused."""

from __future__ import annotations

from tests.cli.conftest import Town

GOOD = "async def answer(caller):\n    caller.hang_up()\n"
SERVICE = '  horaires: {number: "8597", type: app, file: horaires.py, otherwise: {to: "2010"}}\n'


def test_a_node_starts_without_an_app_and_takes_no_plan_whose_app_is_wrong(town: Town):
    town.change_plan("services:\n", f"services:\n{SERVICE}")
    app = town.folder / "apps" / "horaires.py"
    app.parent.mkdir(mode=0o700)
    with town.serving():
        app.write_text(GOOD.replace("async def answer", "1 / 0\nasync def answer"))
        app.chmod(0o600)
        refused = town.run("plan", "reload")  # only running it finds that out
        assert refused.status == 1
        assert "horaires.py ends at its first lines: ZeroDivisionError" in refused.err
        app.write_text(GOOD)
        assert town.run("plan", "reload").status == 0
