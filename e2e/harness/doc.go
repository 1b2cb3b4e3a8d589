// Package harness runs the bulkhead binary for tests and gives them what a user of it has: addresses, environments, an administrator's token.
//
// A test either starts a platform of its own (Start), which it may kill, or shares one with its package (Shared). Every listener has a port of the
// system's choice and every platform a folder of its own, so tests run beside each other.
package harness
