// Signs up, logs in and reads the profile with the TypeScript client that @hey-api/openapi-ts generates.
//
//     node client.js URL
//
// URL is that of a local run.

import assert from "node:assert/strict";

import { client } from "./generated/client.gen.js";
import { login, profile, signup, smsAuthSend, smsAuthVerify, tokenRefresh } from "./generated/sdk.gen.js";

const url = process.argv[2];
assert(url, "usage: node client.js URL");
client.setConfig({ baseUrl: url });

async function codeOf(phone: string): Promise<string> {
  const response = await fetch(`${url}/local/outbox?phone=${encodeURIComponent(phone)}`);
  const { messages } = (await response.json()) as { messages: { text: string }[] };
  const code = messages[0]?.text.match(/\d{6}/)?.[0];
  assert(code, "the outbox contains no code");
  return code;
}

const phone = "+821045670001";
const user = { email: "typescript@example.com", password: "correct horse battery", name: "Kim Minji", nickname: "minji" };

const sent = await smsAuthSend({ body: { phone, purpose: "signup" }, throwOnError: true });
const session_id: string = sent.data.session_id;
const auth_code = await codeOf(phone);
const verified = await smsAuthVerify({ body: { session_id, phone, auth_code }, throwOnError: true });
assert.equal(verified.data.is_verified, true);
await signup({ body: { ...user, phone, session_id }, throwOnError: true });

const rejected = await login({ body: { email: user.email, password: "a wrong guess" } });
assert.equal(rejected.response?.status, 401);
assert.equal(rejected.error?.error_code, "USER__NOT_MATCHED");

const loggedIn = await login({ body: { email: user.email, password: user.password }, throwOnError: true });
const tokens = await tokenRefresh({ body: { refresh_token: loggedIn.data.refresh_token }, throwOnError: true });
const read = await profile({ auth: tokens.data.access_token, throwOnError: true });
assert.deepEqual(read.data, { email: user.email, name: user.name, nickname: user.nickname, phone });
console.log("The TypeScript client signed up, logged in, refreshed and read the profile");

// @ts-expect-error A login requires an email or a phone number.
const incomplete: Parameters<typeof login>[0]["body"] = { password: user.password };
void incomplete;
