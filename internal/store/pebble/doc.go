// Package pebble is the embedded storage engine: one folder, one process, group commit inside each shard.
package pebble
