// Tests the site of a local run in a browser, as a user sees it.
//
//     PLAYWRIGHT_CORE=... AXE_CORE=... CHROMIUM=... node local/tests/site/main.mjs URL USERS
//
// URL is the address of a local run. USERS is a JSON array with a user for each width of the window:
// {"width", "phone", "new_phone", "email", "new_email", "taken_email", "name", "nickname", "password", "new_password",
// "last_password"}. An account must have `taken_email`. The first two variables are folders of npm packages, the third
// is the path of the browser. With SCREENSHOT=FILE, the test also writes that image.

import assert from "node:assert/strict";

import { checkAccount } from "./account.mjs";
import { openBrowser } from "./browser.mjs";
import { checkDocs } from "./docs.mjs";
import { checkPage } from "./page.mjs";

const [url, users] = process.argv.slice(2);
const browser = await openBrowser(url);
try {
  for (const user of JSON.parse(users)) {
    await browser.watch({ width: user.width, height: 900 }, async (page) => [
      ...(await checkPage(page, user)),
      ...(await checkAccount(page, user)),
    ]);
    console.log(`The page, ${user.width} pixels wide: passed`);
  }
  await browser.watch({ width: 1280, height: 900 }, checkDocs);
  console.log("The API documentation: passed");
} finally {
  await browser.close();
}
assert.ok(browser.requests > 50, "the requests were not observed");
