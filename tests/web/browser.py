"""What the console's tests share: a browser, the frame number of a picture on its screen, what it logs."""
import contextlib
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
from house import SLOW, Skip, check  # noqa: E402

OUT = os.environ.get("TF_WEB_OUT", "out/web")
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")

# The frame number's blocks (overlay/number.c) read from what is on the screen; null where there are none.
NUMBER = """
const source = document.querySelector(`[data-camera="${arguments[0]}"] video, [data-camera="${arguments[0]}"] canvas`);
const width = source && (source.videoWidth || source.width), height = source && (source.videoHeight || source.height);
if (!width || !height) return null;
const canvas = document.createElement('canvas');
canvas.width = width; canvas.height = height;
const context = canvas.getContext('2d');
context.drawImage(source, 0, 0);
const bright = i => {
  const x = 8 + i % 24 * 8 + 2, y = height - 24 + Math.floor(i / 24) * 8 + 2, d = context.getImageData(x, y, 4, 4).data;
  let sum = 0;
  for (let k = 0; k < d.length; k += 4) sum += d[k] + 2 * d[k + 1] + d[k + 2];
  return sum / 64;
};
const bits = Array.from({length: 48}, (_, i) => bright(i) > 110 ? 1 : 0);
const value = (from, count) => bits.slice(from, from + count).reduce((n, b) => n * 2 + b, 0);
return value(0, 8) === 0xa6 ? [value(8, 32), value(40, 8)] : null;
"""


def crc8(number):
    crc = 0
    for byte in number.to_bytes(4, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xff
    return crc


class Browser:
    """Chromium with one page; everything that it logs or asks elsewhere is a failure of the test."""

    def __init__(self, url, size=(1400, 1000), dark=False, expected=()):
        if not BROWSER or not DRIVER:
            if os.environ.get("CI"):
                raise AssertionError("chromium and chromium-driver are missing (scripts/install-packages test)")
            raise Skip("chromium and chromium-driver are not installed")
        try:
            from selenium import webdriver
            from selenium.webdriver.chrome.options import Options
            from selenium.webdriver.chrome.service import Service
        except ImportError as missing:
            raise Skip("python3-selenium is not installed") from missing
        options = Options()
        options.binary_location = BROWSER
        arguments = ["--headless=new", "--hide-scrollbars", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync"]
        for argument in arguments + (["--no-sandbox"] if os.geteuid() == 0 else []):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.expected = expected
        self.url = url
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.driver.set_script_timeout(30 * SLOW)
        self.driver.set_page_load_timeout(60 * SLOW)
        self.size(*size)
        if dark:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        self.driver.get(url)

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        from selenium.webdriver.common.by import By
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def shown(self, selector):
        return self.js("const e = document.querySelector(arguments[0]); return !!e && e.checkVisibility()", selector)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).innerText", selector)

    def fill(self, name, text):
        field = self.find(f"[name={name}]")
        field.clear()
        field.send_keys(text)

    def key(self, keys):
        from selenium.webdriver.common.action_chains import ActionChains
        ActionChains(self.driver).send_keys(keys).perform()

    def number(self, camera="cam"):
        """The frame number on the screen, or None."""
        seen = self.js(NUMBER, camera)
        return seen[0] if seen and crc8(seen[0]) == seen[1] else None

    def wait(self, what, seconds, text):
        end = time.monotonic() + seconds * SLOW
        while True:
            value = what()
            if value:
                return value
            if time.monotonic() > end:
                self.shot("failed")
                raise AssertionError(f"after {seconds * SLOW:g} s still not: {text}; the page says: {self.text('body')[:600]}")
            time.sleep(0.1)

    def wait_picture(self, camera="cam", seconds=20):
        return self.wait(lambda: self.number(camera) is not None, seconds, f"a picture of {camera}")

    def shot(self, name):
        os.makedirs(OUT, exist_ok=True)
        with contextlib.suppress(OSError):
            self.driver.save_screenshot(os.path.join(OUT, f"{name}.png"))

    def check_quiet(self):
        """No error in the console, nothing asked of another server."""
        import json
        errors = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"
                  and not any(part in entry["message"] for part in self.expected)]
        check(not errors, f"the page's console says: {errors[:3]}")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked = message["params"]["request"]["url"]
                check(asked.startswith((self.url.split("?")[0].rstrip("/"), "blob:", "data:", "chrome:", "about:")), f"the page asks elsewhere: {asked}")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.driver.quit()
