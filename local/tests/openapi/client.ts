// Uses an account, from the sign-up to the deletion, with the TypeScript client that @hey-api/openapi-ts generates.
//
//     node client.js URL
//
// URL is that of a local run.

import assert from "node:assert/strict";

import { client } from "./generated/client.gen.js";
import {
  accountDelete,
  emailChange,
  login,
  passwordChange,
  phoneChange,
  profile,
  profileUpdate,
  sessionRevoke,
  sessions,
  signup,
  smsAuthSend,
  smsAuthVerify,
  tokenRefresh,
} from "./generated/sdk.gen.js";
import type { Purpose, TokenPair } from "./generated/types.gen.js";

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

async function verifiedSession(phone: string, purpose: Purpose): Promise<string> {
  const sent = await smsAuthSend({ body: { phone, purpose }, throwOnError: true });
  const session_id: string = sent.data.session_id;
  const auth_code = await codeOf(phone);
  const verified = await smsAuthVerify({ body: { session_id, phone, auth_code }, throwOnError: true });
  assert.equal(verified.data.is_verified, true);
  return session_id;
}

const phone = "+821045670001", newPhone = "+821045670003";
const user = { email: "typescript@example.com", password: "correct horse battery", name: "Kim Minji", nickname: "minji" };
const newUser = { email: "typescript@example.org", password: "a newer horse battery" };
await signup({ body: { ...user, phone, session_id: await verifiedSession(phone, "signup") }, throwOnError: true });

const rejected = await login({ body: { email: user.email, password: "a wrong guess" } });
assert.equal(rejected.response?.status, 401);
assert.equal(rejected.error?.error_code, "USER__NOT_MATCHED");

const loggedIn = await login({ body: { email: user.email, password: user.password }, throwOnError: true });
const refreshed = await tokenRefresh({ body: { refresh_token: loggedIn.data.refresh_token }, throwOnError: true });
// Each change returns the pair that replaces the previous one.
let tokens: TokenPair = refreshed.data;
const authorized = () => ({ auth: tokens.access_token, throwOnError: true }) as const;

await profileUpdate({ ...authorized(), body: { nickname: "sky" } });
const passwords = { current_password: user.password, password: newUser.password };
tokens = (await passwordChange({ ...authorized(), body: passwords })).data;
tokens = (await emailChange({ ...authorized(), body: { email: newUser.email } })).data;
const session_id = await verifiedSession(newPhone, "phone_change");
tokens = (await phoneChange({ ...authorized(), body: { session_id } })).data;
const read = await profile(authorized());
assert.deepEqual(read.data, { email: newUser.email, name: user.name, nickname: "sky", phone: newPhone });

await login({ body: newUser, throwOnError: true });
const listed = await sessions(authorized());
assert.deepEqual(listed.data.sessions.map(({ is_current }) => is_current), [true, false]);
const other = listed.data.sessions[1];
assert(other);
await sessionRevoke({ ...authorized(), path: { id: other.id } });
await accountDelete(authorized());
assert.equal((await profile({ auth: tokens.access_token })).response?.status, 401);
console.log("The TypeScript client signed up, changed everything, and deleted the account");

// @ts-expect-error A login requires an email or a phone number.
const incomplete: Parameters<typeof login>[0]["body"] = { password: user.password };
void incomplete;
