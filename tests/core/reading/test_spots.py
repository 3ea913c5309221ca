"""Listed places on the map: all of them in Batam, none that the reader does not know, the tightest wins."""

from siaga_core.reading.coordinates import is_outside
from siaga_core.reading.gazetteer import places
from siaga_core.reading.spots import every, listed
from siaga_core.reading.text import read


def test_every_place_is_in_batam_with_an_honest_radius_and_is_read_from_a_text() -> None:
    assert len(every()) > 40
    for one in every():
        assert not is_outside(one.latitude, one.longitude), one
        assert 300 <= one.radius_m <= 30_000, one
        found = read(f"kebakaran di {one.name} sekarang").place
        assert listed(found.names, found.district) == one, one


def test_every_kecamatan_is_on_the_map() -> None:
    assert set(places().districts) <= {one.name for one in every()}


def test_the_tightest_name_counts_and_an_unknown_one_is_no_position() -> None:
    assert listed(("Nagoya", "Nagoya Hill")) == listed(("Nagoya Hill",))
    assert listed(("Kavling Lama",), "Sagulung") == listed((), "Sagulung")
    assert listed(("Kavling Lama",)) is None
    assert listed(()) is None
