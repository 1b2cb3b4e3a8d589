"""Goes once through keys, certificates and secrets with azure-keyvault-* and prints what was seen as JSON: the same as node/vaultobjects.mjs."""

import hashlib
import json
import os

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets import SecretClient

options = {}
if os.environ["AUTHORITY"]:
    options = {"authority": os.environ["AUTHORITY"], "disable_instance_discovery": True}
credential = ClientSecretCredential(os.environ["TENANT_ID"], os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], **options)
url, prefix = os.environ["VAULT_URL"], os.environ["PREFIX"]
seen = {}

keys = KeyClient(url, credential, retry_total=0)
name = prefix + "-key"
first = keys.create_rsa_key(name, size=2048, tags={"team": "red"})
digest = hashlib.sha256(b"text").digest()
old = CryptographyClient(first.id, credential, retry_total=0)
signature = old.sign(SignatureAlgorithm.rs256, digest).signature
second = keys.rotate_key(name)
new = CryptographyClient(second.id, credential, retry_total=0)
seen["rotated"] = first.properties.version != second.properties.version
seen["oldVerifies"] = old.verify(SignatureAlgorithm.rs256, digest, signature).is_valid
seen["newVerifies"] = new.verify(SignatureAlgorithm.rs256, digest, signature).is_valid
sealed = new.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"hello").ciphertext
seen["decrypted"] = new.decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed).plaintext.decode()
wrapped = new.wrap_key(KeyWrapAlgorithm.rsa_oaep, b"0123456789abcdef").encrypted_key
seen["unwrapped"] = new.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped).key.decode()
ec = keys.create_ec_key(prefix + "-ec", curve="P-384")
ecdigest = hashlib.sha384(b"text").digest()
eccrypto = CryptographyClient(ec.id, credential, retry_total=0)
seen["curve"] = [str(ec.key.crv.value if hasattr(ec.key.crv, "value") else ec.key.crv),
                 eccrypto.verify(SignatureAlgorithm.es384, ecdigest, eccrypto.sign(SignatureAlgorithm.es384, ecdigest).signature).is_valid]
keys.update_key_properties(name, second.properties.version, enabled=False)
try:
    new.sign(SignatureAlgorithm.rs256, digest)
    seen["disabled"] = "signed"
except HttpResponseError as e:
    seen["disabled"] = e.status_code
seen["keys"] = sorted(k.name for k in keys.list_properties_of_keys() if k.name.startswith(prefix))
seen["versions"] = len(list(keys.list_properties_of_key_versions(name)))
backup = keys.backup_key(prefix + "-ec")
keys.begin_delete_key(prefix + "-ec").wait()
seen["deleted"] = keys.get_deleted_key(prefix + "-ec").name == prefix + "-ec"
keys.begin_recover_deleted_key(prefix + "-ec").wait()
keys.begin_delete_key(prefix + "-ec").wait()
keys.purge_deleted_key(prefix + "-ec")
seen["restored"] = keys.restore_key_backup(backup).id == ec.id

certificates = CertificateClient(url, credential, retry_total=0)
policy = CertificatePolicy(issuer_name="Self", subject="CN=app.contoso.com", san_dns_names=["app.contoso.com"], validity_in_months=6)
made = certificates.begin_create_certificate(prefix + "-cert", policy).result()
got = certificates.get_certificate(prefix + "-cert")
seen["certificate"] = [got.policy.issuer_name, got.policy.subject, got.policy.validity_in_months, len(bytes(got.properties.x509_thumbprint)), made.id == got.id]

secrets = SecretClient(url, credential, retry_total=0)
seen["secretOfCertificate"] = secrets.get_secret(prefix + "-cert").properties.content_type
secret = secrets.set_secret(prefix + "-secret", "v1", content_type="text/plain", tags={"a": "b"})
secrets.set_secret(prefix + "-secret", "v2")
seen["secret"] = [secrets.get_secret(prefix + "-secret").value, secrets.get_secret(prefix + "-secret", secret.properties.version).value, secret.properties.content_type]
seen["secretVersions"] = len(list(secrets.list_properties_of_secret_versions(prefix + "-secret")))
secrets.begin_delete_secret(prefix + "-secret").wait()
try:
    secrets.get_secret(prefix + "-secret")
    seen["gone"] = "found"
except HttpResponseError as e:
    seen["gone"] = e.status_code
secrets.begin_recover_deleted_secret(prefix + "-secret").wait()
seen["recovered"] = secrets.get_secret(prefix + "-secret").value
print(json.dumps({"value": json.dumps(seen, sort_keys=True)}))
