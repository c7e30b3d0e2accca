"""The playground: networks are trained in a worker, results are collected, and links hold all settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from node_scripts import compute_in_node
from playwright.sync_api import Browser, Locator, Page
from widget_pages import show

from lmc_utils.settings import ParameterError
from lmc_utils.widgets import Playground
from lmc_utils.widgets.assets import static_text
from lmc_utils.widgets.playground import ASSETS, ENGINE, limits

QUICK = {"epochs": 6, "points": 60, "width": 4}
PICTURES = "[...document.querySelectorAll('canvas')].map((one) => one.toDataURL())"
HTML = "<!doctype html><meta charset='utf-8'><h1 id='top'>Page</h1>{}"


def run(main: Locator, button: str = "Train and fork") -> str:
    """Press a button, and return what is said when the runs have ended."""
    main.get_by_role("button", name=button).click()
    main.page.wait_for_function("document.querySelector('.lmc-play').textContent === 'Train and fork'")
    main.page.evaluate("new Promise(requestAnimationFrame)")  # the frame that draws the end
    return main.locator(".lmc-status").inner_text()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A page with the playground on the disk."""
    path = tmp_path / "page.html"
    path.write_text(HTML.format(Playground(**QUICK).page("<p>a still picture</p>")), encoding="utf-8")
    return path


def test_a_run_gives_the_numbers_of_the_engine_and_shows_them(page: Page) -> None:
    widget = Playground(fork_epoch=2, seed=5, **(QUICK | {"epochs": 20, "width": 12}))
    main = show(page, widget)
    said = run(main)
    (found,) = page.evaluate("model.get('runs')")
    expression = (
        "(({ networks, data }) => measureLine(networks, data, makeScratch(settings.width)))"
        "([...forkedRun(settings)].at(-1))"
    )
    line = compute_in_node(*ENGINE, expression=expression, settings=widget.settings)
    assert found["error_barrier"] == pytest.approx(line["errorBarrier"], abs=1e-8)
    assert found["loss_barrier"] == pytest.approx(line["lossBarrier"], abs=1e-8)
    assert {name: found[name] for name in widget.settings} == widget.settings
    assert f"The barrier is {line['errorBarrier']:.1f} points of error" in said
    assert f"errors of {line['error'][0]:.1f} % and {line['error'][-1]:.1f} %" in said
    assert f"Average: {line['error'][12]:.1f} % error" in main.locator("figcaption").all_inner_texts()
    assert main.locator(".lmc-run").count() == 1
    row = main.locator(".lmc-numbers tbody tr").locator("th, td").all_inner_texts()
    assert row == ["2", "1", f"{int(line['errorBarrier'] > 2)}", f"{line['errorBarrier']:.1f}"]
    assert main.get_by_role("img", name="Map of the loss").is_visible()
    pictures = page.evaluate(PICTURES)
    again = run(main)
    first, second = page.evaluate("model.get('runs')")
    assert (first, said) == (second, again), "equal seeds give equal numbers"
    assert page.evaluate(PICTURES) == pictures


def test_pictures_change_while_it_trains_and_can_be_stopped(page: Page) -> None:
    main = show(page, Playground(epochs=200, width=64))  # far from its end when it is stopped
    page.evaluate(
        """() => {
            window.said = new Set();
            const watch = () => said.add(document.querySelector(".lmc-status").textContent);
            new MutationObserver(watch).observe(document.querySelector(".lmc-status"), { childList: true });
        }"""
    )
    main.get_by_role("button", name="Train and fork").click()
    page.wait_for_function("said.size > 5")
    assert main.locator(".lmc-status").get_attribute("aria-live") == "off"
    assert main.get_by_role("img", name="error (%) along the line: ").count() == 1
    main.get_by_role("button", name="Stop").click()
    assert main.locator(".lmc-status").inner_text() == "Stopped."
    assert main.locator(".lmc-status").get_attribute("aria-live") == "polite"
    assert page.evaluate("model.get('runs')") == []


def test_readers_who_prefer_reduced_motion_see_the_end_only(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    main = show(page, Playground(**QUICK))
    page.evaluate(
        """() => {
            window.said = [];
            const watch = () => said.push(document.querySelector(".lmc-status").textContent);
            new MutationObserver(watch).observe(document.querySelector(".lmc-status"), { childList: true });
        }"""
    )
    end = run(main)
    assert page.evaluate("said") == ["Training …", end]


def test_ten_more_runs_have_ten_new_seeds_and_other_settings_become_faint(page: Page) -> None:
    main = show(page, Playground(seed=3, **QUICK))
    run(main)
    run(main, "Make ten more")
    assert [each["seed"] for each in page.evaluate("model.get('runs')")] == list(range(3, 14))
    main.get_by_role("slider", name="Fork epoch").fill("4")
    run(main, "Make ten more")
    assert main.locator(".lmc-run").count() == 21, "the fork epoch is the axis of the figure"
    main.locator("summary").click()
    main.get_by_role("combobox", name="Learning rate").select_option(label="0.02")
    assert (main.locator(".lmc-run").count(), main.locator(".lmc-other-run").count()) == (0, 21)
    assert page.evaluate("model.get('settings').learning_rate") == 0.02
    main.get_by_role("button", name="Reset").click()
    assert page.evaluate("model.get('runs')") == []
    assert page.evaluate("model.get('settings')") == Playground(seed=3, **QUICK).settings


def test_settings_without_effect_do_not_separate_runs_and_runs_of_the_model_are_kept(page: Page) -> None:
    main = show(page, Playground(**QUICK))
    run(main)
    page.evaluate("model.set('settings', { ...model.get('settings'), turns: 1, difference_size: 1 })")
    page.evaluate("model.set('runs', [...model.get('runs'), { ...model.get('runs')[0], seed: 1 }])")  # as another view
    run(main, "Make ten more")
    assert [each["seed"] for each in page.evaluate("model.get('runs')")] == list(range(12))
    assert (main.locator(".lmc-run").count(), main.locator(".lmc-other-run").count()) == (12, 0)
    assert main.locator(".lmc-latest").count() == 1


def test_pictures_without_a_run_are_not_described_by_the_numbers_of_the_last(page: Page) -> None:
    main = show(page, Playground(**QUICK))
    run(main)
    main.get_by_role("slider", name="Fork epoch").fill("4")
    main.get_by_role("img", name="error (%) along the line: nothing yet").wait_for()
    assert main.get_by_role("slider", name="Fork epoch").get_attribute("aria-valuetext") == "4"


def test_there_is_a_plane_unless_the_copies_and_the_fork_point_are_on_one_line(page: Page) -> None:
    main = show(page, Playground(**(QUICK | {"epochs": 30, "width": 16})))
    page.evaluate(
        """() => {
            window.notes = new Set();
            const note = document.querySelector(".lmc-mountain .lmc-fine");
            new MutationObserver(() => notes.add(note.textContent)).observe(note, { childList: true });
        }"""
    )
    run(main, "Make ten more")
    main.get_by_role("img", name="Map of the loss").wait_for()
    assert not any("no plane" in note for note in page.evaluate("[...notes]"))
    main.get_by_role("slider", name="Fork epoch").fill("30")
    assert "The barrier is 0.0 points of error and 0 nats of loss." in run(main)
    main.get_by_text("There is no plane").wait_for()


def test_an_invalid_seed_is_replaced_by_the_last_valid_one(page: Page) -> None:
    main = show(page, Playground(**QUICK))
    main.locator("summary").click()
    for typed in ("5", "-3"):
        main.get_by_label("Seed").fill(typed)
        main.get_by_label("Seed").press("Tab")
    assert main.get_by_label("Seed").input_value() == "5"
    assert page.evaluate("model.get('settings').seed") == 5


def test_a_learning_rate_that_is_too_high_is_reported_in_words(page: Page) -> None:
    main = show(page, Playground(learning_rate=3, **(QUICK | {"epochs": 20})))
    assert "learned almost nothing" in run(main)
    page.evaluate("model.get('scene').limits.learning_rate.high = 1e300")
    page.evaluate("model.set('settings', { ...model.get('settings'), learning_rate: 1e200 })")
    assert run(main).startswith("Training diverged (NaN or infinite weights).")
    assert len(page.evaluate("model.get('runs')")) == 1, "only of the first, which ended in numbers"


def test_settings_without_effect_are_hidden_and_the_fork_is_at_most_the_last_epoch(page: Page) -> None:
    main = show(page, Playground(fork_epoch=60))
    main.locator("summary").click()
    turns, size = main.get_by_text("Turns of a spiral"), main.get_by_text("Size of the difference")
    assert not turns.is_visible()
    assert not size.is_visible()
    main.get_by_role("combobox", name="Data set").select_option(label="spirals")
    main.get_by_role("combobox", name="The copies differ in").select_option(label="one weight")
    assert turns.is_visible()
    assert size.is_visible()
    main.get_by_role("slider", name="Epochs", exact=True).fill("30")
    assert page.evaluate("model.get('settings').fork_epoch") == 30
    assert main.get_by_role("slider", name="Fork epoch").get_attribute("max") == "30"


def test_settings_from_python_are_shown(page: Page) -> None:
    main = show(page, Playground())
    page.evaluate("model.set('settings', { ...model.get('settings'), data_set: 'moons', fork_epoch: 7 })")
    assert main.get_by_role("slider", name="Fork epoch").input_value() == "7"
    assert main.get_by_role("combobox", name="Data set").evaluate("one => one.selectedOptions[0].label") == "moons"


def test_it_works_from_a_disk_without_a_network_and_links_hold_all_settings(browser: Browser, file: Path) -> None:
    context = browser.new_context(offline=True)
    page, other = context.new_page(), context.new_page()
    page.goto(f"{file.as_uri()}#data_set=circles&fork_epoch=3")
    main = page.locator("#lmc-playground")
    assert not page.get_by_text("a still picture").is_visible()
    assert main.get_by_role("slider", name="Fork epoch").input_value() == "3"
    assert run(main).startswith("Fork at epoch 3: ")
    main.locator("summary").click()
    main.get_by_label("Seed").fill("42")
    main.get_by_label("Seed").press("Tab")
    main.get_by_role("button", name="Link to these settings").click()
    link = main.get_by_label("Link to these settings").input_value()
    assert link == page.url
    other.goto(link)
    settings = Playground(data_set="circles", fork_epoch=3, seed=42, **QUICK).settings
    assert link.endswith(compute_in_node("playground_controls.js", expression="toLink(settings)", settings=settings))
    assert other.get_by_label("Seed").input_value() == "42"
    main.get_by_role("button", name="Reset").click()
    assert page.url == file.as_uri()
    context.close()


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("#data_set=squares", "data_set must be one of checkerboard, spirals, moons, circles (got squares)"),
        ("#width=1e9", "width must be a whole number between 4 and 64 (got 1e9)"),
        ("#width=", "width must be a whole number between 4 and 64 (got )"),
        ("#noise=NaN", "noise must be a number between 0 and 0.3 (got NaN)"),
        ("#epochs=5&fork_epoch=6", "fork_epoch must be at most epochs, 5 (got 6)"),
        ("#constructor=1", "unknown setting: constructor"),
        ("#top", ""),
    ],
)
def test_a_link_that_is_not_valid_is_reported_and_one_to_a_section_is_left_alone(
    page: Page, file: Path, link: str, said: str
) -> None:
    page.goto(file.as_uri() + link)
    status = page.locator(".lmc-status")
    status.wait_for(state="attached")
    assert status.inner_text() == (f"The settings in this link are not valid: {said}." if said else "")
    assert page.get_by_role("slider", name="Fork epoch").input_value() == "0"


def test_a_link_can_be_followed_again_and_shows_the_settings_that_it_changes(page: Page, file: Path) -> None:
    page.goto(f"{file.as_uri()}#data_set=moons")
    data, more = page.get_by_role("combobox", name="Data set"), page.locator("details")
    data.select_option(label="circles")
    assert page.url == file.as_uri(), "the address does not hold other settings than the page"
    page.evaluate("location.hash = 'data_set=moons'")
    page.wait_for_function("document.querySelector('select').selectedOptions[0].label === 'moons'")
    assert more.get_attribute("open") is None
    page.evaluate("location.hash = 'difference=noise'")
    page.get_by_text("Size of the difference").wait_for()


def test_an_invalid_link_stops_the_training_so_that_its_message_stays(page: Page, file: Path) -> None:
    page.goto(f"{file.as_uri()}#epochs=200&width=64")
    page.get_by_role("button", name="Train and fork").click()
    page.evaluate("location.hash = 'width=1'")
    page.get_by_text("The settings in this link are not valid: width must be").wait_for()
    assert page.get_by_role("button", name="Train and fork").is_visible()


def test_print_shows_the_still_picture_and_in_jupyter_the_playground(page: Page, file: Path) -> None:
    page.emulate_media(media="print")
    page.goto(file.as_uri())
    page.get_by_text("a still picture").wait_for()
    assert not page.locator(".lmc-playground").is_visible()
    assert show(page, Playground(**QUICK)).locator(".lmc-playground").is_visible()


def test_without_scripts_a_still_picture_is_shown(browser: Browser, file: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(file.as_uri())
    assert page.get_by_text("a still picture").is_visible()
    page.close()


def test_runs_are_summarised_by_fork_epoch() -> None:
    runs = [{"fork_epoch": fork, "error_barrier": barrier} for fork, barrier in ((10, 0.5), (0, 6.0), (0, 1.0))]
    found = compute_in_node("chart.js", "playground_pictures.js", expression="summary(runs)", runs=runs)
    assert found == [["0", "2", "1", "3.5"], ["10", "1", "0", "0.5"]]


def test_it_is_at_most_60_kilobytes() -> None:
    assert sum(len(static_text(name).encode()) for name in ASSETS) <= 60_000


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"width": 65}, "width must be between 4 and 64 (got 65)"),
        ({"data_set": "moon"}, "unknown data_set 'moon'; did you mean 'moons'?"),
        ({"fork_epoch": 61}, "fork_epoch must be <= epochs (60) (got 61)"),
        ({"widht": 8}, "unknown setting 'widht'; did you mean 'width'?"),
    ],
)
def test_invalid_settings_are_one_line_errors(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Playground(**given)
    assert str(caught.value).startswith(line), str(caught.value)
    widget = Playground()
    with pytest.raises(ParameterError, match=re.escape(line)):
        widget.settings = given
    assert widget.settings == Playground().settings


def test_the_browser_allows_what_python_allows() -> None:
    assert list(limits()) == list(Playground().settings)
    assert limits()["width"] == {"low": 4, "high": 64, "whole": True}
    assert limits()["noise"]["whole"] is False
