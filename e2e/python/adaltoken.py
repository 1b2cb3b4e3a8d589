"""Gets a token of the first version as code of 2018 did, with adal, and reads a secret with it by plain HTTP."""

import json
import os

import adal
import requests

own = bool(os.environ["AUTHORITY"])
authority = (os.environ["AUTHORITY"] or "https://login.microsoftonline.com") + "/" + os.environ["TENANT_ID"]
context = adal.AuthenticationContext(authority, validate_authority=not own)
resource, client = os.environ["RESOURCE"], os.environ["CLIENT_ID"]
if os.environ["CREDENTIAL"] == "certificate":
    with open(os.environ["KEY"], encoding="ascii") as key:
        token = context.acquire_token_with_client_certificate(resource, client, key.read(), os.environ["THUMBPRINT"])
else:
    token = context.acquire_token_with_client_credentials(resource, client, os.environ["CLIENT_SECRET"])

answer = requests.get(
    os.environ["VAULT_URL"] + "/secrets/" + os.environ["SECRET_NAME"],
    params={"api-version": "2016-10-01"},
    headers={"Authorization": token["tokenType"] + " " + token["accessToken"]},
    timeout=30,
)
answer.raise_for_status()
secret = answer.json()
print(json.dumps({"value": secret["value"], "version": secret["id"].rsplit("/", 1)[1], "token": token["accessToken"]}))
