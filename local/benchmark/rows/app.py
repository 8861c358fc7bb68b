"""Implements `login` and `profile` as is usual for FastAPI on Lambda: with Mangum, boto3, bcrypt and PyJWT.

Like Lambda's own Python runtime, it requests events from the Runtime API.
"""

import http.client
import json
import os
import time

import bcrypt
import boto3
import jwt
from fastapi import FastAPI, Header, HTTPException
from mangum import Mangum
from pydantic import BaseModel

app = FastAPI()
dynamodb = boto3.client("dynamodb")
USERS = os.environ["USERS_TABLE"]
SECRET = os.environ["JWT_SECRET"]


class Credentials(BaseModel):
    email: str
    password: str


def get_item(pk: str) -> dict | None:
    response = dynamodb.get_item(TableName=USERS, Key={"pk": {"S": pk}}, ConsistentRead=True)
    return response.get("Item")


@app.post("/api/v1/users/login")
def login(credentials: Credentials):
    link = get_item(f"EMAIL#{credentials.email.lower()}")
    user_id = link["user_id"]["S"] if link else ""
    user = get_item(f"USER#{user_id}") if link else None
    if not user or not bcrypt.checkpw(credentials.password.encode(), user["password_hash"]["S"].encode()):
        raise HTTPException(401)
    now = int(time.time())
    token = lambda seconds: jwt.encode({"user_id": user_id, "iat": now, "exp": now + seconds}, SECRET, "HS256")
    return {"access_token": token(900), "refresh_token": token(2_592_000)}


@app.get("/api/v1/users/profile")
def profile(authorization: str = Header()):
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), SECRET, ["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    user = get_item(f"USER#{claims['user_id']}")
    if not user:
        raise HTTPException(401)
    return {field: user[field]["S"] for field in ("name", "email", "phone", "nickname")}


handler = Mangum(app, lifespan="off")


def serve() -> None:
    """Handles events forever."""
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        runtime.request("GET", "/2018-06-01/runtime/invocation/next")
        response = runtime.getresponse()
        event = json.loads(response.read())
        request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        result = json.dumps(handler(event, None)).encode()
        runtime.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", result)
        runtime.getresponse().read()


if __name__ == "__main__":
    serve()
