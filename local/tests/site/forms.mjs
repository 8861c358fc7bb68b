// Fills in and submits the forms of the page, and checks what they show.

import assert from "node:assert/strict";

export async function fill(form, fields) {
  for (const [label, value] of Object.entries(fields)) await form.getByLabel(label, { exact: true }).fill(value);
}

export async function submit(form) {
  await form.locator("button:not([type]):not([aria-disabled])").click();
}

// Checks that the field is marked, and that its error is below it.
export async function expectFieldError(field, message) {
  const error = field.locator("xpath=ancestor::form").getByText(message, { exact: true });
  await error.waitFor();
  assert.equal(await error.getAttribute("id"), await field.getAttribute("aria-describedby"));
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  const [input, text] = [await field.boundingBox(), await error.boundingBox()];
  const distance = text.y - (input.y + input.height);
  assert.ok(distance >= 0 && distance < 20, `the error is ${distance} pixels below its field`);
}

export async function expectProfile(page, user) {
  const profile = page.locator("#signed-in");
  for (const value of [user.name, user.email, user.phone, user.nickname]) {
    await profile.getByText(value, { exact: true }).waitFor();
  }
}

export async function checkIsUsable(page) {
  const { scroll, window } = await page.evaluate(() => {
    return { scroll: document.documentElement.scrollWidth, window: document.documentElement.clientWidth };
  });
  assert.ok(scroll <= window, "the page is wider than the window");
  for (const code of await page.locator("[name=auth_code]").all()) {
    assert.equal(await code.getAttribute("autocomplete"), "one-time-code");
    assert.equal(await code.getAttribute("inputmode"), "numeric");
  }
}
