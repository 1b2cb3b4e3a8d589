"""Reads a secret with azure-identity and azure-keyvault-secrets and prints it as JSON; where everything is comes from the environment."""

import json
import os

from azure.identity import CertificateCredential, ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

options = {}
if os.environ["AUTHORITY"]:  # a cloud of one's own; without it the client knows Azure's names
    options = {"authority": os.environ["AUTHORITY"], "disable_instance_discovery": True}
tenant, client = os.environ["TENANT_ID"], os.environ["CLIENT_ID"]
if os.environ["CREDENTIAL"] == "certificate":
    credential = CertificateCredential(tenant, client, os.environ["CERTIFICATE"], **options)
elif os.environ["CREDENTIAL"] == "machine":  # CLIENT_ID names a user-assigned identity, or is empty
    credential = ManagedIdentityCredential(**({"client_id": client} if client else {}))
else:
    credential = ClientSecretCredential(tenant, client, os.environ["CLIENT_SECRET"], **options)

secret = SecretClient(os.environ["VAULT_URL"], credential, retry_total=0).get_secret(os.environ["SECRET_NAME"])
print(json.dumps({"value": secret.value, "version": secret.properties.version}))
