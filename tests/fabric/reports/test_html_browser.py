"""Pages of reports in a real browser: they sort, filter, say values, need no script, and ask for nothing."""

import os
import re

import pytest

import railscope as rs
from fabric.reports.html.page import html_page
from fabric.reports.loads import loads_report
from tests.browser import PROGRAM, Browser
from tests.fabric.commands.test_cli import TIGHT
from tests.fabric.reports.test_html import hostile_report

HOW = "chromium missing: apt-get install chromium, or tests/install_tools.sh"
HOTSPOTS = "document.querySelectorAll('table.data')[1]"
COLUMN = "[...{table}.tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[{column}].textContent)"


@pytest.fixture(scope="module")
def browser():
    if PROGRAM is None and os.environ.get("CI") == "true":
        pytest.fail(HOW)
    if PROGRAM is None:
        pytest.skip(HOW)
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Loads with hot links, hashed."""
    scenario = rs.Scenario.of(str(TIGHT), rs.Collective("all-to-all"), routing=rs.Ecmp(1))
    path = tmp_path_factory.mktemp("page") / "tight.html"
    path.write_text(html_page([loads_report(rs.analyse(scenario, 1.05))], ["railscope loads tight-64.toml"]), "utf-8")
    return path


def column(browser, number, table=HOTSPOTS):
    return browser.value(COLUMN.format(table=table, column=number))


def check_quiet(browser, path):
    """Nothing is complained about, and nothing beside the file is asked for."""
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == [path.absolute().as_uri()]


def test_a_table_sorts_by_mouse_and_by_keyboard(browser, page):
    browser.open(page)
    headings = browser.value(f"[...{HOTSPOTS}.tHead.rows[0].cells].map(cell => cell.textContent)")
    over, link = headings.index("x mean"), headings.index("link")
    before = column(browser, 0)
    assert len(before) > 20
    assert browser.value(f"{HOTSPOTS}.querySelectorAll('thead button').length") == len(headings)
    sort = f"{HOTSPOTS}.tHead.rows[0].cells[{over}]"
    browser.value(f"{sort}.querySelector('button').click()")
    assert browser.value(f"{sort}.getAttribute('aria-sort')") == "descending"
    numbers = [float(text) for text in column(browser, over)]
    assert numbers == sorted(numbers, reverse=True)
    # The other way, by the keyboard.
    browser.value(f"{sort}.querySelector('button').focus()")
    browser.press("Enter")
    assert browser.value(f"{sort}.getAttribute('aria-sort')") == "ascending"
    numbers = [float(text) for text in column(browser, over)]
    assert numbers == sorted(numbers)
    # Then as the report has it.
    browser.press("Enter")
    assert browser.value(f"{sort}.getAttribute('aria-sort')") is None
    assert column(browser, 0) == before
    # Names as a person sorts them, and one column says how.
    browser.value(f"{HOTSPOTS}.tHead.rows[0].cells[{link}].querySelector('button').click()")
    names = column(browser, link)
    assert names == sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])
    assert browser.value(f"{HOTSPOTS}.querySelectorAll('[aria-sort]').length") == 1
    check_quiet(browser, page)


def test_units_are_sorted_by_what_they_mean(browser, page):
    browser.open(page)
    tiers = "document.querySelectorAll('table.data')[0]"
    columns = browser.value(f"[...{tiers}.tHead.rows[0].cells].map(cell => cell.textContent)")
    for name, factors in (
        ("max", {"ms": 1e-3, "us": 1e-6, "s": 1.0, "0": 0.0}),
        ("bytes", {"GB": 1e9, "MB": 1e6, "TB": 1e12, "B": 1.0}),
    ):
        number = columns.index(name)
        browser.value(f"{tiers}.tHead.rows[0].cells[{number}].querySelector('button').click()")
        texts = [text.split(" ") for text in column(browser, number, tiers)]
        values = [float(text[0]) * factors[text[-1]] for text in texts]
        assert values == sorted(values, reverse=True)
        assert len({text[-1] for text in texts}) > 1 or name == "bytes"


def test_a_table_filters_as_one_types(browser, page):
    browser.open(page)
    every = column(browser, 2)
    assert {"leaf-spine up", "leaf-spine down"} <= set(every)
    browser.value("document.querySelector('input[type=search]').focus()")
    browser.ask("Input.insertText", text="LEAF-spine  up")
    assert set(column(browser, 2)) == {"leaf-spine up"}
    count = browser.value("document.querySelector('.filter output').textContent")
    assert count == f"{every.count('leaf-spine up')} of {len(every)} rows"
    browser.ask("Input.insertText", text=" <nothing>")
    assert column(browser, 2) == []
    label = browser.value("document.querySelector('input[type=search]').labels[0].textContent")
    assert label == "Show rows with"
    check_quiet(browser, page)


def test_a_map_says_the_value_of_a_cell(browser, page):
    browser.open(page)
    cells = browser.value(
        "[...document.querySelector('svg.cells').querySelectorAll('.row title')].map(one => one.textContent)"
    )
    said = "document.querySelector('.readout').textContent"
    browser.value("document.querySelector('svg.cells').scrollIntoView()")
    x, y = browser.value(
        "(box => [box.x + box.width / 2, box.y + box.height / 2])(document.querySelector('.row path').getBoundingClientRect())"
    )
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert browser.value(said) == cells[0]
    browser.value("document.querySelector('svg.cells').focus()")
    browser.press("ArrowRight")
    second = browser.value(said)
    browser.press("ArrowDown")
    below = browser.value(said)
    assert cells.index(second) <= 1 < cells.index(below)
    assert browser.value("getComputedStyle(document.querySelector('.now')).stroke") != "none"
    check_quiet(browser, page)


def test_a_page_is_whole_without_scripts(browser, page):
    browser.open(page, scripts=False)
    tree = browser.ask("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node.get("ignored")]
    names = [node.get("name", {}).get("value", "") for node in tree]
    said = "\n".join(names)
    assert "button" not in roles
    assert "searchbox" not in roles
    assert roles.count("columnheader") > 10
    for words in ("What was assumed", "How this page was made", "railscope loads tight-64.toml", "leaf-spine up"):
        assert words in said
    check_quiet(browser, page)


def test_everything_has_a_name(browser, page):
    browser.open(page)
    tree = browser.ask("Accessibility.getFullAXTree")["nodes"]
    found = [node for node in tree if not node.get("ignored")]
    for node in found:
        if node["role"]["value"] in (
            "button",
            "heading",
            "image",
            "region",
            "searchbox",
            "table",
            "link",
            "navigation",
        ):
            assert node.get("name", {}).get("value"), node
    roles = {node["role"]["value"] for node in found}
    assert {"banner", "main", "contentinfo", "heading", "image", "table", "button", "searchbox"} <= roles


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_can_be_read(browser, page, dark):
    """WCAG 2.2, 1.4.3: a contrast of 4.5; and a page fits a narrow window."""
    browser.open(page, dark=dark, width=400)
    colours = browser.value(
        "['ink', 'quiet', 'page', 'pale', 'verdict', 'accent', 'gone'].map(name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())"
    )
    ink, quiet, ground, pale, verdict, accent, gone = map(luminance, colours)
    assert (ground < 0.1) == dark
    for text, below in ((ink, ground), (ink, pale), (ink, verdict), (quiet, ground), (quiet, pale), (accent, ground)):
        assert contrast(text, below) >= 4.5
    assert contrast(gone, ground) >= 3
    assert browser.value("getComputedStyle(document.body).backgroundColor") != browser.value(
        "getComputedStyle(document.body).color"
    )
    assert browser.value("document.documentElement.scrollWidth") <= 400


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_hostile_names_run_nothing(browser, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(html_page([hostile_report()], ["railscope loads '<script>alert(1)</script>'"]), "utf-8")
    browser.open(path)
    assert browser.value("document.querySelectorAll('script').length") == 1
    assert browser.value("document.querySelectorAll('img, [onload], [onerror], [onmouseover]').length") == 0
    # Moving over and sorting puts names into other places.
    browser.value("document.querySelectorAll('thead button').forEach(button => button.click())")
    browser.value(
        "document.querySelectorAll('svg.cells .row path').forEach(cell => cell.dispatchEvent(new PointerEvent('pointermove', {bubbles: true})))"
    )
    assert "onload" in browser.value("document.querySelector('.readout').textContent")
    assert browser.value("document.querySelectorAll('script').length") == 1
    assert browser.value("document.querySelectorAll('img, [onload], [onerror], [onmouseover]').length") == 0
    assert not any(event.get("method") == "Page.javascriptDialogOpening" for event in browser.events)
    check_quiet(browser, path)


def test_a_page_lets_no_foreign_script_run(browser, page, tmp_path):
    """Should a name ever get through, the page's policy stops it."""
    path = tmp_path / "through.html"
    attack = "<script>window.through = 1</script><img src=x onerror='window.through = 2'><img src='https://example.com/x.png'>"
    path.write_text(page.read_text("utf-8").replace("<main", attack + "<main", 1), "utf-8")
    browser.open(path)
    assert browser.value("window.through") is None
    assert len(browser.complaints) >= 3
    refused = [event["params"] for event in browser.events if event.get("method") == "Network.loadingFailed"]
    asked = [url for url in browser.requests if url != path.absolute().as_uri() and not url.startswith("data:")]
    assert asked
    assert [one["blockedReason"] for one in refused] == ["csp"] * len(asked)
