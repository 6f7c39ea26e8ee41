import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

/** The first that exists is used; CHROMIUM_PATH goes before all. */
const CANDIDATES = [
  process.env["CHROMIUM_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

export const browserPath = () => CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** Starts the browser headless, with an empty profile of its own and no traffic of its own. */
export function launchBrowser() {
  const executablePath = browserPath();
  if (executablePath === undefined) {
    throw new Error("found no Chromium; set CHROMIUM_PATH");
  }
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--js-flags=--expose-gc",
    ],
  });
}
