// Reads a secret with @azure/identity and @azure/keyvault-secrets and prints it as JSON; where everything is comes from the environment.
import { createRequire } from "node:module";

// The packages are installed outside the source tree; NODE_MODULES says where.
const require = createRequire(process.env.NODE_MODULES + "/");
const { ClientCertificateCredential, ClientSecretCredential, ManagedIdentityCredential } = require("@azure/identity");
const { SecretClient } = require("@azure/keyvault-secrets");

const { AUTHORITY, CREDENTIAL, TENANT_ID, CLIENT_ID, CLIENT_SECRET, CERTIFICATE, VAULT_URL, SECRET_NAME } = process.env;
// AUTHORITY is a cloud of one's own; without it the client knows Azure's names.
const options = AUTHORITY ? { authorityHost: AUTHORITY, disableInstanceDiscovery: true } : {};
const credential =
  CREDENTIAL === "certificate"
    ? new ClientCertificateCredential(TENANT_ID, CLIENT_ID, { certificatePath: CERTIFICATE }, options)
    : CREDENTIAL === "machine" // CLIENT_ID names a user-assigned identity, or is empty
      ? new ManagedIdentityCredential(CLIENT_ID ? { clientId: CLIENT_ID } : {})
      : new ClientSecretCredential(TENANT_ID, CLIENT_ID, CLIENT_SECRET, options);

const client = new SecretClient(VAULT_URL, credential, { retryOptions: { maxRetries: 0 } });
const secret = await client.getSecret(SECRET_NAME);
console.log(JSON.stringify({ value: secret.value, version: secret.properties.version }));
