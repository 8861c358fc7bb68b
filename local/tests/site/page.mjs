// Walks through the page: sign-up, profile, refresh, logout, login, login by code and reset.

import assert from "node:assert/strict";

import { checkAccessibility } from "./browser.mjs";
import { checkIsUsable, expectFieldError, expectProfile, fill, submit } from "./forms.mjs";

// Returns the errors of the API that the page showed, as `watch` expects them.
export async function checkPage(page, user) {
  await page.goto("/");
  await checkAccessibility(page);
  await checkIsUsable(page);
  await signUp(page, user);
  await showTokens(page);
  await refresh(page, user);
  await logOut(page);
  await logIn(page, user);
  await logOut(page);
  await logInByCode(page, user);
  await logOut(page);
  await resetPassword(page, user);
  return [
    "422 /sms-auth/send",
    "422 /sms-auth/send",
    "401 /sms-auth/verify",
    "422 /signup",
    "401 /login",
    "401 /login",
  ];
}

async function signUp(page, user) {
  const sendForm = page.locator("#signup-send");
  await submit(sendForm);
  await expectFieldError(sendForm.getByLabel("Phone number"), "must be a phone number, such as +82 10 1234 5678");
  await fill(sendForm, { "Phone number": "02-312-3456" });
  await submit(sendForm);
  await expectFieldError(sendForm.getByLabel("Phone number"), "must be a mobile number: this one cannot receive an SMS");
  await checkAccessibility(page);

  const code = await send(page, "#signup-send", user.phone, "#signup-verify");
  assert.equal(await sendForm.locator(".error").count(), 0, "the errors remain");
  const verifyForm = page.locator("#signup-verify");
  await fill(verifyForm, { Code: code.replace(/\d$/, (digit) => (Number(digit) + 1) % 10) });
  await submit(verifyForm);
  await verifyForm.getByText("the code or the phone number does not match").waitFor();
  await fill(verifyForm, { Code: code });
  await submit(verifyForm);
  await verifyForm.getByText("The phone number is verified.").waitFor();

  const signUpForm = page.locator("#signup");
  await fill(signUpForm, { Email: "nobody", Name: user.name, Nickname: user.nickname, Password: "short" });
  await submit(signUpForm);
  await expectFieldError(signUpForm.getByLabel("Email"), "must be one email address of at most 254 bytes, in one script");
  await expectFieldError(signUpForm.getByLabel("Password"), "must have at least 8 characters");
  await checkAccessibility(page);
  await fill(signUpForm, { Email: user.email, Password: user.password });
  await submit(signUpForm);
  await expectProfile(page, user);
  await page.getByText(`Welcome, ${user.nickname}.`).waitFor();
}

async function showTokens(page) {
  for (const name of ["access", "refresh", "device"]) {
    const claims = await claimsOf(page, name);
    assert.equal(claims.token_use, name);
    assert.ok(claims.exp > claims.iat);
  }
  await checkAccessibility(page);
  if (process.env.SCREENSHOT && page.viewportSize().width > 1000) await takeScreenshot(page);
}

async function takeScreenshot(page) {
  await page.locator("#tokens summary").first().click();
  await page.screenshot({ path: process.env.SCREENSHOT });
}

// Opens the token, reads its claims as they are shown, and closes it.
async function claimsOf(page, name) {
  const token = page.locator("#tokens details", { hasText: `${name} token` });
  const summary = token.locator("summary");
  await summary.click();
  const [header, claims] = [token.locator("pre").nth(0), token.locator("pre").nth(1)];
  await claims.waitFor();
  assert.equal(JSON.parse(await header.textContent()).alg, "RS256");
  const shown = JSON.parse(await claims.textContent());
  await checkIsUsable(page);
  await summary.click();
  return shown;
}

async function refresh(page, user) {
  const before = await claimsOf(page, "refresh");
  await page.getByRole("button", { name: "Refresh the tokens" }).click();
  await page.getByText("The access token and the refresh token are new.").waitFor();
  const after = await claimsOf(page, "refresh");
  assert.deepEqual([after.sid, after.generation], [before.sid, before.generation + 1]);

  // Three tabs are opened concurrently, and refresh one after the other.
  let concurrent = 0, most = 0;
  await page.context().route("**/token/refresh", async (route) => {
    concurrent += 1;
    most = Math.max(most, concurrent);
    const response = await route.fetch();
    concurrent -= 1;
    await route.fulfill({ response });
  });
  const tabs = [page, await page.context().newPage(), await page.context().newPage()];
  await Promise.all(tabs.map((tab) => tab.goto("/")));
  await Promise.all(tabs.map((tab) => expectProfile(tab, user)));
  assert.equal(most, 1, "concurrent refreshes");
  await page.context().unroute("**/token/refresh");

  await logOut(page);
  await tabs[1].getByText("You are logged out.").waitFor();
  await tabs[1].close();
  await tabs[2].close();
  await logIn(page, user);
}

async function logOut(page) {
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("You are logged out. The device token stays.").waitFor();
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), ["device_token"]);
  await page.locator("#tokens").getByText("Device token").first().waitFor();
  assert.equal(await page.locator("#tokens summary").count(), 1);
}

// With the keyboard alone.
async function logIn(page, user) {
  const form = page.locator("#login");
  await page.locator("summary", { hasText: "Log in with a password" }).focus();
  if (!(await form.isVisible())) await page.keyboard.press("Enter");
  for (const [password, isRight] of [["a wrong guess", false], [user.password, true]]) {
    await page.locator("summary", { hasText: "Log in with a password" }).focus();
    for (const text of [user.email, password]) {
      await page.keyboard.press("Tab");
      await page.keyboard.press("Control+A");
      await page.keyboard.type(text);
    }
    await page.keyboard.press("Enter");
    if (!isRight) await form.getByText("the user or the password does not match").waitFor();
  }
  await expectProfile(page, user);
}

async function logInByCode(page, user) {
  await page.getByText("Log in with a code").click();
  const code = await send(page, "#login-send", user.phone, "#login-code");
  await fill(page.locator("#login-code"), { Code: code });
  await submit(page.locator("#login-code"));
  await expectProfile(page, user);
}

async function resetPassword(page, user) {
  await page.getByText("Reset the password").first().click();
  const code = await send(page, "#reset-send", user.phone, "#reset-verify");
  await fill(page.locator("#reset-verify"), { Code: code });
  await submit(page.locator("#reset-verify"));
  await fill(page.locator("#reset"), { "New password": user.new_password });
  await submit(page.locator("#reset"));
  await page.getByText("The password is reset and all sessions are revoked.").waitFor();

  await page.getByText("Log in with a password").click();
  await fill(page.locator("#login"), { Email: user.email, Password: user.new_password });
  await submit(page.locator("#login"));
  await expectProfile(page, user);
  // The session outlives the page.
  await page.reload();
  await expectProfile(page, user);
}

// Sends a code, and returns the code that the outbox beside the form shows. If another code was sent recently, waits
// for the time that the page shows.
async function send(page, form, phone, nextForm) {
  const messages = page.locator("#outbox li");
  const before = await messages.count();
  await fill(page.locator(form), { "Phone number": phone });
  for (;;) {
    await submit(page.locator(form));
    const wait = page.locator(form).getByText(/wait \d+ s/);
    await page.locator(nextForm).or(wait).waitFor();
    if (!(await wait.isVisible())) break;
    const [, seconds] = /wait (\d+) s/.exec(await wait.textContent());
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
  await messages.nth(before).waitFor();
  return /\b(\d{6}|\d{8})\b/.exec(await messages.first().textContent())[0];
}
