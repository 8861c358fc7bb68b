// Opens Chromium, and checks what holds for every page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const MILLISECONDS_TO_WAIT = 20_000;

const { chromium } = await import(pathToFileURL(join(process.env.PLAYWRIGHT_CORE, "index.mjs")));
const AXE = readFileSync(join(process.env.AXE_CORE, "axe.min.js"), "utf8");

export async function openBrowser(url) {
  // Creates a user data directory, and deletes it at the end.
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
  const opened = {
    requests: 0,
    close: () => browser.close(),

    // Calls `check` with a page of a new profile. Then checks that no request left the site, and that the console
    // has no error but those of the responses that `check` expects: it returns them, as "422 /path".
    async watch(viewport, check) {
      const context = await browser.newContext({ baseURL: url, viewport, locale: "en-US", timezoneId: "UTC" });
      context.setDefaultTimeout(MILLISECONDS_TO_WAIT);
      const others = [], errors = [], refused = [];
      context.on("request", (request) => {
        opened.requests += 1;
        const { origin, protocol } = new URL(request.url());
        if (origin !== url && protocol !== "data:") others.push(request.url());
      });
      context.on("response", (response) => {
        const { pathname } = new URL(response.url());
        if (response.status() >= 400) refused.push(`${response.status()} ${pathname.replace("/api/v1/users", "")}`);
      });
      context.on("console", (message) => {
        const isResponse = message.text().startsWith("Failed to load resource: the server responded with a status of 4");
        if (["error", "warning"].includes(message.type()) && !isResponse) errors.push(message.text());
      });
      context.on("weberror", (error) => errors.push(String(error.error())));
      const page = await context.newPage();
      const expected = await check(page).catch(async (error) => {
        const shown = await page.locator("output, .error").allInnerTexts();
        throw new Error(`The page showed: ${shown.filter(Boolean).join(" | ")}`, { cause: error });
      });
      // How often a send must wait depends on the speed of the machine.
      assert.deepEqual(refused.filter((response) => !response.startsWith("429")), expected);
      assert.deepEqual(errors, [], "errors in the console");
      assert.deepEqual(others, [], "requests to other hosts");
      await context.close();
    },
  };
  return opened;
}

// Checks that axe finds nothing serious, in light and in dark, except for `known` rules.
export async function checkAccessibility(page, known = []) {
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate(() => axe.run());
    const isNew = ({ id, impact }) => ["serious", "critical"].includes(impact) && !known.includes(id);
    const serious = violations.filter(isNew);
    const described = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => html + failureSummary)}`);
    assert.deepEqual(described, [], `axe, ${colorScheme}`);
    assert.ok(passes.some(({ id }) => id === "color-contrast"), "axe did not check the contrast");
  }
}
