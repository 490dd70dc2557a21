"""What is wrong with a page in a tab: what does not fit, what is too small, what its scripts complain of."""

from collections.abc import Sequence
from typing import Any

from browser import Tab

HEIGHT = 900  # of the window, in pixels
SMALLEST_TEXT = 11.0  # pixels
WITHIN_THE_PAGE = ("data:", "blob:", "about:")

LAYOUT = """(() => {
  const shown = e => e.checkVisibility({checkVisibilityCSS: true}) && e.getClientRects().length > 0;
  const whole = e => [document.body, document.documentElement].includes(e) || e.matches('.bd-article-container');
  const scrolls = e => e && !whole(e) &&
    (['auto', 'scroll'].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const name = e => [e.tagName.toLowerCase() + (e.id ? '#' + e.id : ''), ...e.classList].join('.');
  const wide = [], small = [];
  for (const e of document.body.querySelectorAll('*')) {
    if (!shown(e)) continue;
    const box = e.getBoundingClientRect();
    const outside = box.right > innerWidth + 1 || (box.left < -1 && box.right > 0);
    if (outside && !e.closest('svg *, mjx-assistive-mml') && !scrolls(e.parentElement))
      wide.push(name(e) + ' reaches ' + Math.round(box.right));
  }
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const e = words.currentNode.parentElement, text = words.currentNode.data.trim();
    if (!text || !shown(e) || e.closest('script, style, title, desc, mjx-assistive-mml')) continue;
    const matrix = e instanceof SVGElement ? e.getScreenCTM() : null;
    const scale = matrix ? Math.hypot(matrix.b, matrix.d) : 1;
    const size = parseFloat(getComputedStyle(e).fontSize) * scale;
    if (size > 0 && size < SMALLEST) small.push(size.toFixed(1) + ' px: ' + name(e) + ' ' + text.slice(0, 40));
  }
  const blank = [...document.images].filter(i => shown(i) && !(i.complete && i.naturalWidth))
    .map(i => name(i) + ' ' + i.alt);
  return {width: document.documentElement.scrollWidth, inner: innerWidth,
          height: document.documentElement.scrollHeight, wide, small, blank, images: document.images.length,
          drawings: document.querySelectorAll('svg').length};
})()"""


def resize(tab: Tab, width: int) -> None:
    screen = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    tab.call("Emulation.setDeviceMetricsOverride", **screen)


def measured(tab: Tab) -> tuple[dict[str, Any], list[str]]:
    """What was measured, and what is wider than the window, too small to be read or not drawn."""
    found = tab.run(LAYOUT.replace("SMALLEST", str(SMALLEST_TEXT)))
    faults = []
    if found["width"] > found["inner"]:
        faults.append(f"the page is {found['width']} pixels wide")
    faults += [f"cut off: {what}" for what in found["wide"][:10]]
    faults += [f"too small: {what}" for what in found["small"][:10]]
    faults += [f"a picture is not drawn: {what}" for what in found["blank"][:10]]
    return found, faults


def addresses(events: Sequence[dict[str, Any]]) -> list[str]:
    """What was asked for."""
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def faults_of_events(events: Sequence[dict[str, Any]], home: str) -> list[str]:
    """Errors and warnings of scripts, and requests to anything but what begins with `home`."""
    faults = set()
    for event in events:
        method, data = event["method"], event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            faults.add(f"a script failed: {details.get('exception', {}).get('description', details['text'])}")
        elif method == "Runtime.consoleAPICalled" and data["type"] in ("error", "assert", "warning"):
            faults.add(f"console: {[argument.get('value') for argument in data['args']]}")
        elif method == "Log.entryAdded" and data["entry"]["level"] == "error":
            faults.add(f"console: {data['entry']['text']} {data['entry'].get('url', '')}")
    for address in addresses(events):
        if not address.startswith((*WITHIN_THE_PAGE, home)):
            faults.add(f"a request to {address[:200]}")
    return sorted(faults)
