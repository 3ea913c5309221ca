"""An operator's eyes: Debian's Chromium, and when exactly a text was painted."""

import re
from types import TracebackType
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
# The browser must not look for its maker's hosts; the control room has no internet.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
MARK = re.compile(r"TANDA-\d+")

# Notes when a mark is first painted: the frame after the one in which it came into the document.
WATCH = """
(() => {
  const painted = window.paintedMarks = {};
  const look = text => {
    for (const [mark] of (text || "").matchAll(/TANDA-\\d+/g)) {
      if (mark in painted) continue;
      painted[mark] = 0;
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => { painted[mark] = performance.timeOrigin + performance.now(); };
        channel.port2.postMessage(0);
      });
    }
  };
  new MutationObserver(changes => {
    for (const change of changes) {
      if (change.type === "characterData") look(change.target.data);
      for (const node of change.addedNodes) look(node.textContent);
    }
  }).observe(document, {subtree: true, childList: true, characterData: true});
})();
"""


class Screen:
    """One operator, logged in, with the console open."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url, self._user, self._password = url, user, password

    def __enter__(self) -> "Screen":
        self._playwright = sync_playwright().start()
        self._browser: Browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        self._context = self._browser.new_context(locale="id-ID", ignore_https_errors=False)
        self._context.add_init_script(WATCH)
        self.page: Page = self._context.new_page()
        self.log_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._browser.close()
        self._playwright.stop()

    def log_in(self) -> None:
        """Log in and open the console."""
        self.page.goto(f"{self._url}/masuk")
        self.page.fill("input[name=name], input[name=user]", self._user)
        self.page.fill("input[name=password]", self._password)
        self.page.click("form button >> nth=-1")
        self.page.goto(self._url)

    def open(self, path: str) -> str:
        """Open a page in a second tab; its text."""
        tab = self._context.new_page()
        try:
            tab.goto(f"{self._url}{path}")
            return tab.inner_text("body")
        finally:
            tab.close()

    def html(self, path: str) -> str:
        """A page's markup, without opening it on the screen."""
        return self.fetch(path)[1].decode()

    def submit(self, path: str, action: str, form: dict[str, str]) -> None:
        """Open a page, fill in one of its forms as a person would, and send it."""
        tab = self._context.new_page()
        try:
            tab.goto(f"{self._url}{path}")
            target = tab.locator(f'form[action$="/{action}"]').first
            for name, value in form.items():
                field = target.locator(f'[name="{name}"]')
                if field.evaluate("e => e.tagName") == "SELECT":
                    field.select_option(value)
                else:
                    field.fill(value)
            # With a script the page stays; either way the form is sent when its POST has been answered.
            with tab.expect_response(lambda answer: answer.request.method == "POST"):
                target.locator("button").last.click()
            tab.wait_for_load_state()
        finally:
            tab.close()

    def fetch(self, path: str) -> tuple[int, bytes]:
        """Fetch a resource with the operator's session."""
        answer = self._context.request.get(f"{self._url}{path}")
        return answer.status, answer.body()

    def text(self) -> str:
        """What the console shows now."""
        return self.page.inner_text("body")

    def shows(self, text: str, limit_s: float) -> bool:
        """Whether `text` appears on the console in time, without reloading it."""
        try:
            self.page.get_by_text(text).first.wait_for(timeout=limit_s * 1000)
        except Exception as error:
            if "Timeout" not in type(error).__name__:
                raise
            return False
        return True

    def painted(self) -> dict[str, float]:
        """Mark -> Unix seconds when it was painted, for the marks seen so far."""
        seen: dict[str, Any] = self.page.evaluate("window.paintedMarks")
        return {mark: at / 1000 for mark, at in seen.items() if at}
