// Package web is App Service: plans, sites and their settings, and the host that runs a site's process behind its name.
//
// Hosts: {site}.azurewebsites.net (the site itself), {site}.scm.azurewebsites.net (deployment and logs).
// ARM namespace: Microsoft.Web, api-versions from 2015-08-01 on: serverfarms, sites, sites/config and the status of Key Vault references.
//
// # Running a site
//
// A site has a package: a zip that was pushed to its scm host, or a folder or zip that WEBSITE_RUN_FROM_PACKAGE names below a root the operator allowed. Its start
// command is siteConfig.appCommandLine, or else an executable startup, run or app in the package. The process gets a port, its app settings, and,
// if the site has an identity, the variables of the managed identity endpoint; nothing else of the platform's environment. A crash restarts it with
// a growing pause; every change of the configuration restarts it; a stopped site answers 403. A site answers by HTTPS and, unless it is httpsOnly (301), by plain HTTP.
//
// # Key Vault references
//
// A setting that is one whole reference (@Microsoft.KeyVault(...)) becomes the secret's value in the process's environment, fetched over HTTP through the front door as
// the site's own identity or the user-assigned one it names (keyVaultReferenceIdentity), so that the vault checks it like any caller. If that fails the text stays as it
// is and the process starts anyway; the reason is shown by config/configreferences. Values live in memory only, and are fetched anew on every configuration change and every 24 hours.
//
// # Invariants
//
//   - App settings, connection strings and publishing passwords are sealed before they reach a transaction, and are never in a log, an error or a GET.
//   - What the platform says about a caller (X-MS-CLIENT-PRINCIPAL and the like) never comes from outside.
//   - A package can't write outside of its own folder.
//
// Left out, each with an error that says so: deployment slots, App Service authentication, CORS, functions, virtual networks, client certificates, containers.
//
// One exchange:
//
//	PUT /subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Web/sites/web1/config/appsettings?api-version=2022-03-01
//	{"properties":{"DB":"@Microsoft.KeyVault(SecretUri=https://kv1.vault.azure.net/secrets/db/)"}}
//
//	200 {"id":"..","name":"appsettings","type":"Microsoft.Web/sites/config","properties":{"DB":"@Microsoft.KeyVault(..)"}}
package web
