"""What `scripts/bench provisioning` measures: telephones that read their files as their makers' do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tools.places import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from benches import provisioning, provisioning_phones
from benches.load import Load, compile_sipload
from benches.provisioning_phones import Failed, SignIn, sign_in
from benches.signalling import Bench

GOLDEN = ROOT / "tests" / "provisioning" / "golden"


@pytest.mark.parametrize("brand", list(provisioning.MODELS))
def test_a_telephone_reads_from_its_makers_file_how_it_signs_in(brand: str):
    folder = GOLDEN / brand / provisioning.MODELS[brand][0]
    own = next(path for path in folder.iterdir() if "805ec0123456" in path.name.lower())
    assert sign_in(brand, own.read_bytes()) == SignIn("2010-desk", "kT9vQx2mRw7n", 5061, True)


def test_a_file_that_does_not_say_how_to_sign_in_is_fetched_anew():
    with pytest.raises(Failed):
        sign_in("snom", b"<settings></settings>")


@pytest.mark.peer
@pytest.mark.xdist_group("rtpload")
def test_a_small_town_is_ready_after_a_power_cut_and_told_in_a_wave_and_its_call_has_lost_nothing(
    tmp_path: Path,
):
    target = "127.0.0.1:18500"
    bench = Bench(0, Load(compile_sipload(tmp_path), 1, target, 18_400), 18_500, lambda _: None)
    town = tmp_path / "town"
    town.mkdir()
    came = provisioning.weighed(bench, town, 20, 1, 4)
    measured = {figure.name: figure.value for figure in provisioning._figures(bench, came, 20)}
    assert measured.keys() == provisioning.MEANINGS.keys()
    assert (measured["phones_ready"], measured["phones_calls"], came.report.failures) == (20, 1, {})
    assert (measured["phones_wave_back"], came.told.refetched, came.told.failures) == (20, 20, {})
    assert measured["phones_calls_lost"] == measured["phones_wave_calls_lost"] == 0.0
    assert provisioning_phones.SIGN_IN.keys() == provisioning.MODELS.keys()
