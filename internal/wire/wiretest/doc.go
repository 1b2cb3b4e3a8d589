// Package wiretest tests services by what they say on the wire.
//
// Run plays files of exchanges (testdata/*.txtar). A file is a comment and then pairs of sections:
//
//	Setting a secret answers its bundle.
//	-- request --
//	PUT /secrets/s1?api-version=7.4
//	Host: kv1.vault.azure.net
//	Authorization: Bearer ${token}
//
//	{"value":"x"}
//	-- response --
//	200
//	Content-Type: application/json; charset=utf-8
//
//	{"value":"x","id":"https://kv1.vault.azure.net/secrets/s1/<hex:version>"}
//
// ${name} in a request is a variable: given by the test, or kept from an earlier response; in a response it demands that value. There only the headers named are looked at
// ("<absent>" demands that one is missing). JSON is compared by value; text may hold placeholders: <any>, <guid>, <hex>, <int>, <time> (RFC 3339),
// <text> (not empty); with a name behind a colon, <guid:id>, what matched becomes the variable. "<any>" alone matches any value or body.
//
// With -update the responses are rewritten from what was answered: placeholders that still match are kept, other GUIDs become <guid>. Read the result.
//
// CheckRoutes holds every route of a service to the rules that all of them obey.
package wiretest
