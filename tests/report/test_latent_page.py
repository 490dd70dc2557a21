"""The interactive latent space: its points, its pictures, and that it asks for nothing outside the page."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from maillon.plot.style import COLOURS
from maillon.report.latent_page import SPRITE_COLUMNS, latent_fragment, sprite_png

CODES = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [3.0, 2.0]])
LABELS = np.array([0, 1, 0, 2])
NAMES = ["Coat", "Bag </script>", "Boot"]
GROUPS = {"tops": [0], "bags & more": [1], "shoes": [2]}


def images(n, side=6):
    return np.random.default_rng(0).random((n, side, side))


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")) / 255


def data_of(fragment):
    return json.loads(re.search(r'id="latent-data">(.*?)</script>', fragment, re.DOTALL).group(1))


@pytest.fixture(scope="module")
def fragment():
    return latent_fragment(CODES, LABELS, images(4), NAMES, GROUPS)


def test_every_image_has_a_point_and_the_first_is_the_loneliest(fragment):
    points = re.findall(
        r'<use href="#latent-marker-(\d)" x="([\d.]+)" y="([\d.]+)" fill="(#\w+)" data-latent', fragment
    )
    assert len(points) == 4
    assert data_of(fragment)["codes"][0] == [3.0, 2.0]
    assert [(marker, colour) for marker, _, _, colour in points] == [
        ("2", COLOURS[2]),
        ("1", COLOURS[1]),
        ("0", COLOURS[0]),
        ("0", COLOURS[0]),
    ]
    first, origin = (tuple(map(float, point[1:3])) for point in (points[0], points[3]))
    assert first[0] > origin[0] and first[1] < origin[1], "the second coordinate grows upwards"


def test_the_pictures_follow_the_points(fragment):
    data = data_of(fragment)
    png = base64.b64decode(data["sprite"].removeprefix("data:image/png;base64,"))
    sheet = pixels(png)
    order = [3, 1, 2, 0]
    for place, image in enumerate(images(4)[order]):
        drawn = sheet[:6, 6 * place : 6 * place + 6]
        np.testing.assert_allclose(drawn, image, atol=0.5 / 15 + 1e-6)
    assert data["labels"] == LABELS[order].tolist()
    assert (data["side"], data["columns"]) == (6, SPRITE_COLUMNS)


def test_it_asks_for_nothing_and_no_name_ends_its_script(fragment):
    assert "http" not in fragment and "//" not in re.sub(r"base64,[^\"]*", "", fragment)
    assert not re.search(r'\son\w+="', fragment), "no inline handler"
    assert data_of(fragment)["classes"] == NAMES
    assert fragment.count("</script>") == 2
    assert "bags &amp; more" in fragment


def test_the_preview_is_hidden_at_first(fragment):
    assert re.search(r'<figure id="latent-preview" hidden>\s*<canvas width="6" height="6"', fragment)


def test_the_axes_carry_round_numbers(fragment):
    ticks = re.findall(r'text-anchor="(?:middle|end)">([-\d.]+)<', fragment)
    assert ticks == ["0", "1", "2", "3", "0", "0.5", "1", "1.5", "2"]


def test_many_images_fill_several_rows():
    sheet = pixels(sprite_png(images(SPRITE_COLUMNS + 1, side=4)))
    assert sheet.shape == (8, 4 * SPRITE_COLUMNS)


def test_one_point_alone_has_a_place():
    fragment = latent_fragment(np.array([[2.0, 2.0]]), np.array([0]), images(1), ["Coat"], {"tops": [0]})
    assert 'data-latent-point="0"' in fragment


def test_more_groups_than_markers_are_refused():
    with pytest.raises(ValueError) as error:
        latent_fragment(CODES, LABELS, images(4), NAMES, {str(group): [group] for group in range(5)})
    assert str(error.value) == "latent_fragment: expected at most 4 groups, got 5."
