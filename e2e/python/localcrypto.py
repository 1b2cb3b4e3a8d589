"""Encrypts and verifies with azure-keyvault-keys' local cryptography, decrypts and signs in the vault, and prints what came back as JSON."""

import hashlib
import json
import os

from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm

options = {}
if os.environ["AUTHORITY"]:  # a cloud of one's own; without it the client knows Azure's names
    options = {"authority": os.environ["AUTHORITY"], "disable_instance_discovery": True}
credential = ClientSecretCredential(os.environ["TENANT_ID"], os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], **options)
client = KeyClient(os.environ["VAULT_URL"], credential, retry_total=0)


def local(key):
    """Knows the public part and no credential: whatever it does, it does here."""
    return CryptographyClient.from_jwk(key.key)


rsa = client.create_rsa_key("local-rsa", size=2048)
remote = CryptographyClient(rsa.id, credential, retry_total=0)
secret = local(rsa).encrypt(EncryptionAlgorithm.rsa_oaep_256, b"made here")
plain = remote.decrypt(EncryptionAlgorithm.rsa_oaep_256, secret.ciphertext).plaintext
wrapped = local(rsa).wrap_key(KeyWrapAlgorithm.rsa_oaep, b"0123456789abcdef")
unwrapped = remote.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped.encrypted_key).key

digest = hashlib.sha256(b"text").digest()
verified = {}
for name, key, algorithm in [
    ("RS256", rsa, SignatureAlgorithm.rs256),
    ("PS256", rsa, SignatureAlgorithm.ps256),
    ("ES256", client.create_ec_key("local-ec", curve="P-256"), SignatureAlgorithm.es256),
]:
    signature = CryptographyClient(key.id, credential, retry_total=0).sign(algorithm, digest).signature
    other = hashlib.sha256(b"other").digest()
    verified[name] = local(key).verify(algorithm, digest, signature).is_valid and not local(key).verify(algorithm, other, signature).is_valid

print(json.dumps({
    "value": plain.decode() + " " + unwrapped.decode() + " " + " ".join(name for name, ok in verified.items() if ok),
    "version": rsa.properties.version,
}))
