// Package redact takes secrets out of command lines before they are stored or sent.
//
// What is replaced by ***, whether it is an argument of its own or stands in one that a shell is going to read (sh -c '...'):
//
//   - the value of an option, assignment or field whose name speaks of a secret: --password=x, --client-secret x, PGPASSWORD=x, "apiKey": "x", token:x, AccountKey=x, sig=x
//   - the options of common programs whose name doesn't say it: mysql -px, sshpass -p x, curl -u user:x, smbclient -U user%x, redis-cli -a x, ldapsearch -w x, openssl -passin
//     pass:x, zip -P x, 7z -px, htpasswd -b file user x and the like (see programs)
//   - the password in a URL: https://user:x@host
//   - what a header gives as a credential: Authorization: Bearer x
//   - what has the form of a known kind of secret, wherever it stands: a JSON Web Token, a private key in PEM, tokens of GitHub, GitLab, Slack, AWS and Azure
//
// Lines of logs are gone through the same way; where sudo or cron say which command they ran, that is one.
//
// Names, users, hosts and everything else stay: detection reads them. A word like "pass" alone, a port after -p or a word list's name is no secret.
//
// What can't be told from any other word stays, too: a password as a bare argument of an unknown program, or within base64.
package redact
