"""Clicks through the console's page: `page.py URL CLIENT OUTLET`.

A client has a stream open at the node of URL, and OUTLET is the page of the outlet's node.
"""

import sys

import browser

url, client, outlet = sys.argv[1:]
if not browser.find():
    print("Chromium is not installed")
    sys.exit(77)

ROWS = "[...document.querySelectorAll('tbody tr')]"

# The lines of the picture that pass behind a box which is not at their end.
HIDDEN = """(() => {
    const picture = document.getElementById('picture');
    const origin = picture.getBoundingClientRect();
    const boxes = [...picture.querySelectorAll('.box')].map((one) => [one.dataset.id, one.getBoundingClientRect()]);
    return [...picture.querySelectorAll('svg path')].flatMap((path) => {
        const ends = path.dataset.key.split(' ');
        const others = boxes.filter(([id]) => !ends.includes(id));
        const length = path.getTotalLength();
        const points = Array.from({ length: Math.ceil(length / 2) }, (_, at) => path.getPointAtLength(2 * at));
        const covers = ({ left, right, top, bottom }, x, y) => left < x && x < right && top < y && y < bottom;
        return others.filter(([, box]) => points.some(({ x, y }) => covers(box, x + origin.left, y + origin.top)))
            .map(([id]) => `${path.dataset.key} passes behind ${id}`);
    });
})()"""

# The pairs of lines between the same two columns that cross.
CROSSED = """(() => {
    const lines = [...document.querySelectorAll('.picture path')].map((path) => {
        const [begin, end] = [0, path.getTotalLength()].map((at) => path.getPointAtLength(at));
        return { name: path.dataset.key, begin, end };
    });
    const near = (one, other) => Math.abs(one - other) < 1;
    return lines.flatMap((one, at) => lines.slice(at + 1).filter((other) =>
        near(one.begin.x, other.begin.x) && near(one.end.x, other.end.x)
        && (one.begin.y - other.begin.y) * (one.end.y - other.end.y) < -1
    ).map((other) => `${one.name} crosses ${other.name}`));
})()"""


def check(page, script, what):
    assert page.run(script), f"not true: {what}; the page says:\n{page.run('document.body.innerText')}"


def none(page, script):
    found = page.run(script)
    assert found == [], found


with browser.Browser() as page:
    page.open(url)
    page.wait(f"{ROWS}.length === 3", "three streams in the table")
    check(page, "document.querySelectorAll('.tile').length === 6", "six tiles")
    check(page, "document.querySelectorAll('.box').length === 4", "four boxes in the picture")
    check(page, "document.querySelectorAll('.picture path').length >= 3", "lines between them")
    check(page, "document.querySelector('.box b').textContent === '3 clients'", "the clients' box")

    none(page, HIDDEN)

    # The filter.
    page.key("/", "/")
    for letter in client.rsplit(":", 1)[1]:
        page.key(letter, letter)
    page.wait(f"{ROWS}.length === 1", "one stream that matches")
    check(page, f"{ROWS}[0].innerText.includes({client!r})", "it is the client's")
    page.run("(() => { const f = document.getElementById('filter'); f.value = '';"
             " f.dispatchEvent(new Event('input')); })()")

    # Sorting by bytes, the largest first, and then the smallest.
    sent = page.run("[...document.querySelectorAll('th')].findIndex((one) => one.innerText === 'Sent')")
    for order in ("descending", "ascending"):
        page.click(f"th:nth-child({sent + 1}) button")
        page.wait(f"document.querySelectorAll('th')[{sent}].ariaSort === {order!r}", order)
        sizes = page.run(f"{ROWS}.map((row) => row.cells[{sent}].innerText)")
        expected = ["30 kB", "2 kB", "100 B"]
        assert sizes == (expected if order == "descending" else expected[::-1]), sizes

    # Every table, with the mouse and with the keyboard.
    parts = page.run("[...document.querySelectorAll('[role=tab]')].map((one) => one.id)")
    assert len(parts) == 8, parts
    for part in parts:
        page.click(f"#{part}")
        page.wait(f"document.getElementById({part!r}).ariaSelected === 'true'", part)
        total = page.run(f"Number(document.querySelector('#{part} .number').innerText)")
        page.wait(f"{ROWS}.length === {total}", f"the rows of {part}")
        check(page, f"document.getElementById('empty').hidden === {str(total > 0).lower()}",
              "that it is empty is said")
    page.key("ArrowRight")
    page.wait("document.activeElement.id === 'tab-streams'", "the first table after the last")

    # A box of the picture leads to its table.
    page.click(".box[data-id='channel/1']")
    page.wait("document.getElementById('tab-channels').ariaSelected === 'true'", "the channels")
    check(page, f"{ROWS}.length === 1", "the channel of the box")

    # Themes: what the system prefers, until the button says otherwise.
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.dark(True)
    dark = page.run(ground)
    assert light != dark, light
    for theme, colour in (("light", light), ("dark", dark), ("auto", dark)):
        page.click("#theme")
        page.wait(f"document.getElementById('theme').innerText === 'Theme: {theme}'", theme)
        assert page.run(ground) == colour, (theme, page.run(ground))

    # A pause, after which it goes on.
    page.click("#pause")
    page.wait("document.getElementById('state').innerText === 'paused'", "the pause")
    page.click("#pause")
    page.wait("document.getElementById('state').innerText === 'live'", "the end of the pause")

    # What goes wrong is told apart: a refusal with its remedy, and what the page cannot show.
    page.run("window.fetched = window.fetch")
    for answer, said, word in (
            ("new Response('permit the name', { status: 421 })", "permit the name", "no answer"),
            ("new Response('{}')", "cannot be shown", "not shown")):
        page.run(f"window.fetch = async () => {answer}")
        page.wait(f"document.getElementById('alert').innerText.includes({said!r})", said)
        check(page, f"document.getElementById('state').innerText === {word!r}", word)
    page.run("window.fetch = window.fetched")
    page.wait("document.getElementById('state').innerText === 'live'", "the end of the trouble")
    assert any("TypeError" in one for one in page.problems), page.problems
    page.problems.clear()

    # A telephone: nothing is wider than its screen.
    page.resize(380, 800)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    page.wait(f"{wide} === 0", "no part that is wider than the screen")

    # A hub of a cluster: the tile counts what its table lists, also where that leaves some out.
    page.run("""(() => {
        const ask = window.fetch;
        window.fetch = async (...what) => {
            const state = await (await ask(...what)).json();
            Object.assign(state.node, { forwarders: 2000, stand_ins: 345 });
            return new Response(JSON.stringify(state));
        };
    })()""")
    tile = "[...document.querySelectorAll('.tile')].find((one) => one.innerText.startsWith('Forwarders'))"
    page.wait(f"{tile} !== undefined", "the tile of forwarders")
    of_tab = page.run("document.querySelector('#tab-forwarders .number').innerText")
    check(page, f"{tile}.querySelector('.value').innerText === {of_tab!r}", f"it says {of_tab}")
    check(page, f"{tile}.querySelector('.note').innerText === '345 of other hubs'", "and of others")
    assert of_tab.replace(",", "").replace("\u202f", "") == "2345", of_tab

    # A line across the secure channels' column: from what a hub forwards to, to the hub.
    page.resize(1280, 900)
    page.open(outlet)
    page.wait("document.querySelectorAll('.picture path').length >= 4", "the lines of the outlet")
    none(page, HIDDEN)

    # Several of them, and channels in another order than the inlets that use them.
    page.run("""(() => {
        const ask = window.fetch;
        window.fetch = async (...what) => {
            const state = await (await ask(...what)).json();
            const like = (one, more) => [1, 2, 3].map((number) => ({ ...one, ...more(number) }));
            const { portals: [portal], channels: [channel], connections: [connection] } = state;
            const connections = like(connection, (number) => ({ id: `connection/${number}` }));
            const channels = like(channel, (number) =>
                ({ id: `channel/${number}`, over: `connection/${4 - number}` }));
            const inlet = (number, over) => ({ id: `portal/${number}`, kind: 'inlet', over });
            const portals = like(portal, (number) => inlet(number, `channel/${4 - number}`));
            portals.push({ ...portal, ...inlet(4, 'connection/3') });
            const registrations = [];
            Object.assign(state, { portals, channels, connections, registrations, streams: [] });
            return new Response(JSON.stringify(state));
        };
    })()""")
    page.wait("document.querySelectorAll('.box').length === 4 + 4 + 3 + 3", "a picture with 14 boxes")
    assert page.run("document.querySelectorAll('.picture path').length") == 4 + 4 + 3
    none(page, HIDDEN)
    none(page, CROSSED)

    assert page.problems == [], page.problems
