// Goes once through keys, certificates and secrets with @azure/keyvault-* and prints what was seen as JSON: the same as python/vaultobjects.py.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { ClientSecretCredential } = require("@azure/identity");
const { CertificateClient } = require("@azure/keyvault-certificates");
const { CryptographyClient, KeyClient } = require("@azure/keyvault-keys");
const { SecretClient } = require("@azure/keyvault-secrets");

const { AUTHORITY, TENANT_ID, CLIENT_ID, CLIENT_SECRET, VAULT_URL, PREFIX } = process.env;
const credential = new ClientSecretCredential(TENANT_ID, CLIENT_ID, CLIENT_SECRET, AUTHORITY ? { authorityHost: AUTHORITY, disableInstanceDiscovery: true } : {});
const once = { retryOptions: { maxRetries: 0 } };
const poll = { intervalInMs: 200 };
const seen = {};
const list = async (pages) => {
  const out = [];
  for await (const one of pages) out.push(one);
  return out;
};
const status = (call) => call.then(() => "succeeded", (e) => e.statusCode);

const keys = new KeyClient(VAULT_URL, credential, once);
const name = PREFIX + "-key";
const first = await keys.createRsaKey(name, { keySize: 2048, tags: { team: "red" } });
const digest = createHash("sha256").update("text").digest();
const old = new CryptographyClient(first.id, credential, once);
const { result: signature } = await old.sign("RS256", digest);
const second = await keys.rotateKey(name);
const current = new CryptographyClient(second.id, credential, once);
seen.rotated = first.properties.version !== second.properties.version;
seen.oldVerifies = (await old.verify("RS256", digest, signature)).result;
seen.newVerifies = (await current.verify("RS256", digest, signature)).result;
const sealed = await current.encrypt({ algorithm: "RSA-OAEP-256", plaintext: Buffer.from("hello") });
seen.decrypted = Buffer.from((await current.decrypt({ algorithm: "RSA-OAEP-256", ciphertext: sealed.result })).result).toString();
const wrapped = await current.wrapKey("RSA-OAEP", Buffer.from("0123456789abcdef"));
seen.unwrapped = Buffer.from((await current.unwrapKey("RSA-OAEP", wrapped.result)).result).toString();
const ec = await keys.createEcKey(PREFIX + "-ec", { curve: "P-384" });
const ecDigest = createHash("sha384").update("text").digest();
const ecCrypto = new CryptographyClient(ec.id, credential, once);
seen.curve = [ec.key.crv, (await ecCrypto.verify("ES384", ecDigest, (await ecCrypto.sign("ES384", ecDigest)).result)).result];
await keys.updateKeyProperties(name, second.properties.version, { enabled: false });
seen.disabled = await status(current.sign("RS256", digest));
seen.keys = (await list(keys.listPropertiesOfKeys())).map((k) => k.name).filter((n) => n.startsWith(PREFIX)).sort();
seen.versions = (await list(keys.listPropertiesOfKeyVersions(name))).length;
const backup = await keys.backupKey(PREFIX + "-ec");
await (await keys.beginDeleteKey(PREFIX + "-ec", poll)).pollUntilDone();
seen.deleted = (await keys.getDeletedKey(PREFIX + "-ec")).name === PREFIX + "-ec";
await (await keys.beginRecoverDeletedKey(PREFIX + "-ec", poll)).pollUntilDone();
await (await keys.beginDeleteKey(PREFIX + "-ec", poll)).pollUntilDone();
await keys.purgeDeletedKey(PREFIX + "-ec");
seen.restored = (await keys.restoreKeyBackup(backup)).id === ec.id;

const certificates = new CertificateClient(VAULT_URL, credential, once);
const policy = { issuerName: "Self", subject: "CN=app.contoso.com", subjectAlternativeNames: { dnsNames: ["app.contoso.com"] }, validityInMonths: 6 };
const made = await (await certificates.beginCreateCertificate(PREFIX + "-cert", policy, poll)).pollUntilDone();
const got = await certificates.getCertificate(PREFIX + "-cert");
seen.certificate = [got.policy.issuerName, got.policy.subject, got.policy.validityInMonths, got.properties.x509Thumbprint.length, made.id === got.id];

const secrets = new SecretClient(VAULT_URL, credential, once);
seen.secretOfCertificate = (await secrets.getSecret(PREFIX + "-cert")).properties.contentType;
const secret = await secrets.setSecret(PREFIX + "-secret", "v1", { contentType: "text/plain", tags: { a: "b" } });
await secrets.setSecret(PREFIX + "-secret", "v2");
const version = secret.properties.version;
seen.secret = [(await secrets.getSecret(PREFIX + "-secret")).value, (await secrets.getSecret(PREFIX + "-secret", { version })).value, secret.properties.contentType];
seen.secretVersions = (await list(secrets.listPropertiesOfSecretVersions(PREFIX + "-secret"))).length;
await (await secrets.beginDeleteSecret(PREFIX + "-secret", poll)).pollUntilDone();
seen.gone = await status(secrets.getSecret(PREFIX + "-secret"));
await (await secrets.beginRecoverDeletedSecret(PREFIX + "-secret", poll)).pollUntilDone();
seen.recovered = (await secrets.getSecret(PREFIX + "-secret")).value;
console.log(JSON.stringify({ value: JSON.stringify(seen) }));
