// Implements `profile` as is usual for Lambda's Node: with the AWS SDK v3 and jose. It loads the packages
// unbundled, because Lambda's own runtime contains the SDK. Like that runtime, it requests events from the
// Runtime API.

import http from "node:http";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { jwtVerify } from "jose";

const dynamodb = new DynamoDBClient({});
const secret = new TextEncoder().encode(process.env.JWT_SECRET);

async function profile(event) {
  const authorization = event.headers.authorization ?? "";
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(authorization.replace(/^Bearer /, ""), secret, { algorithms: ["HS256"] }));
  } catch {
    return { statusCode: 401 };
  }
  const { Item: user } = await dynamodb.send(
    new GetItemCommand({
      TableName: process.env.USERS_TABLE,
      Key: { pk: { S: `USER#${claims.user_id}` } },
      ConsistentRead: true,
    }),
  );
  if (!user) return { statusCode: 401 };
  const fields = ["name", "email", "phone", "nickname"].map((field) => [field, user[field].S]);
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(Object.fromEntries(fields)),
  };
}

const agent = new http.Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function callRuntime(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ text, headers: response.headers }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const { text, headers } = await callRuntime("GET", "next");
  const response = await profile(JSON.parse(text));
  await callRuntime("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(response));
}
