// Walks through the account of a user who is logged in with `new_password`: each change, the sessions, the deletion.

import assert from "node:assert/strict";

import { checkAccessibility } from "./browser.mjs";
import { checkIsUsable, expectFieldError, expectProfile, fill, submit } from "./forms.mjs";

// Returns the errors of the API that the page showed, as `watch` expects them.
export async function checkAccount(page, user) {
  await checkLabels(page);
  await editProfile(page, user);
  await changePassword(page, user);
  await changeEmail(page, user);
  await changePhone(page, user);
  await revokeSession(page, user);
  await deleteAccount(page, user);
  return [
    "422 /profile",
    "422 /password/change",
    "401 /password/change",
    "401 /profile",
    "422 /email",
    "409 /email",
    "401 /email",
    "401 /email",
    "401 /login",
    "422 /sms-auth/send",
    "401 /sms-auth/verify",
    "401 /phone",
  ];
}

// Opens each part of the account.
async function checkLabels(page) {
  for (const part of await page.locator("#signed-in details").all()) {
    await part.locator("summary").click();
    await checkAccessibility(page);
    await checkIsUsable(page);
  }
}

async function open(page, part) {
  const details = page.locator("#signed-in details", { has: page.locator("summary", { hasText: part }) });
  if ((await details.getAttribute("open")) === null) await details.locator("summary").click();
}

async function editProfile(page, user) {
  await open(page, "Edit the profile");
  const form = page.locator("#update");
  assert.equal(await form.getByLabel("Name", { exact: true }).inputValue(), user.name);
  assert.equal(await form.getByLabel("Nickname").inputValue(), user.nickname);
  await fill(form, { Name: "", Nickname: "n".repeat(31) });
  await submit(form);
  const [name, nickname] = [50, 30].map((most) => `must have 1 to ${most} characters, none of them invisible`);
  await expectFieldError(form.getByLabel("Name", { exact: true }), name);
  await expectFieldError(form.getByLabel("Nickname"), nickname);
  await checkAccessibility(page);
  Object.assign(user, { name: `${user.name} Junior`, nickname: `new ${user.nickname}` });
  await fill(form, { Name: user.name, Nickname: user.nickname });
  await submit(form);
  await page.getByText("The profile is saved.").waitFor();
  await expectProfile(page, user);
}

async function changePassword(page, user) {
  const other = await page.context().newPage();
  await other.goto("/");
  await expectProfile(other, user);

  await open(page, "Change the password");
  const form = page.locator("#change-password");
  await fill(form, { "Current password": user.new_password, "New password": user.new_password });
  await submit(form);
  await expectFieldError(form.getByLabel("New password"), "must differ from the current password");
  await checkAccessibility(page);
  await fill(form, { "Current password": "a wrong guess", "New password": user.last_password });
  await submit(form);
  await form.getByText("the user or the password does not match").waitFor();
  await fill(form, { "Current password": user.new_password });
  await submit(form);
  await page.getByText("The password is changed, and all other sessions are revoked.").waitFor();

  // The other tab continues with the new tokens.
  await open(other, "Edit the profile");
  await submit(other.locator("#update"));
  await other.getByText("The profile is saved.").waitFor();
  await other.close();
}

async function changeEmail(page, user) {
  await open(page, "Change the email");
  const form = page.locator("#change-email");
  await fill(form, { "New email": "nobody" });
  await submit(form);
  await expectFieldError(form.getByLabel("New email"), "must be one email address of at most 254 bytes, in one script");
  await fill(form, { "New email": user.taken_email });
  await submit(form);
  await expectFieldError(form.getByLabel("New email"), "is taken");

  const dialog = page.getByRole("dialog", { name: "Log in again" });
  await fill(form, { "New email": user.new_email });
  await rejectNext(page, "PUT", "/email");
  await submit(form);
  await checkAccessibility(page);
  await checkIsUsable(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await form.getByText("Canceled: nothing is changed.").waitFor();

  const before = await sessionOf(page);
  await rejectNext(page, "PUT", "/email");
  await submit(form);
  await fill(dialog, { Password: "a wrong guess" });
  await submit(dialog);
  await dialog.getByText("the user or the password does not match").waitFor();
  await fill(dialog, { Password: user.last_password });
  await submit(dialog);
  await page.getByText("The email is changed, and all other sessions are revoked.").waitFor();
  assert.notEqual(await sessionOf(page), before);
  assert.equal(await page.locator("#revoke li").count(), 1);
  user.email = user.new_email;
  await expectProfile(page, user);
}

// Returns the id of the session.
async function sessionOf(page) {
  const [, claims] = await page.evaluate(() => localStorage.getItem("refresh_token").split("."));
  return JSON.parse(Buffer.from(claims, "base64url")).sid;
}

// Lets the next request fail as if the login were too old: the test would otherwise wait for it.
async function rejectNext(page, method, path) {
  const problem = {
    type: "about:blank",
    title: "Unauthorized",
    status: 401,
    detail: "this request requires a recent login: log in again, and use the new tokens",
    error_code: "TOKEN__LOGIN_TOO_OLD",
  };
  let isRejected = false;
  await page.route(`**/api/v1/users${path}`, async (route) => {
    if (isRejected || route.request().method() !== method) return route.fallback();
    isRejected = true;
    await route.fulfill({ status: 401, contentType: "application/problem+json", body: JSON.stringify(problem) });
  });
}

async function changePhone(page, user) {
  await open(page, "Change the phone number");
  const sendForm = page.locator("#change-send");
  await fill(sendForm, { "New phone number": "02-312-3456" });
  await submit(sendForm);
  const message = "must be a mobile number: this one cannot receive an SMS";
  await expectFieldError(sendForm.getByLabel("New phone number"), message);
  await fill(sendForm, { "New phone number": user.new_phone });
  await submit(sendForm);

  const sms = page.locator("#outbox li", { hasText: "phone change code" });
  const [, code] = /\b(\d{6,8})\b is your/.exec(await sms.textContent());
  const verifyForm = page.locator("#change-verify");
  await fill(verifyForm, { Code: code.replace(/\d$/, (digit) => (Number(digit) + 1) % 10) });
  await submit(verifyForm);
  await verifyForm.getByText("the code or the phone number does not match").waitFor();
  await fill(verifyForm, { Code: code });
  await submit(verifyForm);
  const form = page.locator("#change-phone");
  await form.waitFor();
  await checkAccessibility(page);
  await rejectNext(page, "PUT", "/phone");
  await submit(form);
  const dialog = page.getByRole("dialog", { name: "Log in again" });
  await fill(dialog, { Password: user.last_password });
  await page.keyboard.press("Enter");
  await page.getByText("The phone number is changed, and all other sessions are revoked.").waitFor();
  user.phone = user.new_phone;
  await expectProfile(page, user);
}

async function revokeSession(page, user) {
  const login = { email: user.email, password: user.last_password };
  await page.request.post("/api/v1/users/login", { data: login, headers: { "User-Agent": "The other device" } });
  await page.reload();
  await open(page, "Sessions");
  const [current, other] = [page.locator("#revoke li").nth(0), page.locator("#revoke li").nth(1)];
  assert.match(await current.textContent(), /^Mozilla.*Chrome.*Created on .*\d:\d\d:\d\d.*\nLast used on .*\d:\d\d:\d\d.*This session$/);
  assert.match(await other.textContent(), /^The other deviceCreated on .*Revoke$/s);
  assert.equal(await page.locator("#revoke button").count(), 1);
  await checkAccessibility(page);
  await checkIsUsable(page);
  await other.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("The session is revoked.").waitFor();
  assert.equal(await page.locator("#revoke li").count(), 1);
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Sessions");
}

async function deleteAccount(page, user) {
  await open(page, "Delete the account");
  await submit(page.locator("#delete-start"));
  await page.getByText(`The account of ${user.email} and all its sessions will be deleted.`).waitFor();
  await checkAccessibility(page);
  await submit(page.locator("#delete"));
  await page.getByText("The account is deleted. Its email and its phone number are free.").waitFor();
  await page.locator("#signup-send").waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0);
}
