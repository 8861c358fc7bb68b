// Calls an endpoint with Swagger UI.

import assert from "node:assert/strict";

import { checkAccessibility } from "./browser.mjs";

// The findings of axe in Swagger UI itself: gray labels, buttons in buttons, and lists without a label.
const OF_SWAGGER_UI = ["color-contrast", "nested-interactive", "select-name"];

export async function checkDocs(page) {
  await page.goto("/");
  await page.getByRole("link", { name: "Documentation" }).click();
  const operation = page.locator("#operations-Account-email-duplicate-check");
  await operation.locator(".opblock-summary-control").click();
  await operation.locator("input[type=text]").fill("somebody@example.com");
  await operation.getByRole("button", { name: "Execute" }).click();
  const response = operation.locator(".live-responses-table");
  await response.locator(".response-col_status", { hasText: "200" }).waitFor();
  assert.match(await response.textContent(), /"is_duplicated": false/);
  await checkAccessibility(page, OF_SWAGGER_UI);

  await page.goto("/");
  await page.getByRole("link", { name: "OpenAPI" }).click();
  assert.equal(JSON.parse(await page.locator("body").innerText()).openapi, "3.1.0");
  return [];
}
