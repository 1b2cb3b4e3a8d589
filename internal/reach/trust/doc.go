// Package trust adds the platform's root certificate to this machine's own stores, and takes it out again, for clients that read no CA variable: browsers above all.
//
// Two kinds of stores are known: the system's (Debian, Fedora, Arch and SUSE, each by its own tool) and the NSS databases of Chromium and Firefox in the user's home.
// A Plan says what will change, word for word, before anything does; Do then does just that. What could not be reached is named with what to do.
//
// bulkhead exec needs none of this: it points each client at the root by itself.
package trust
