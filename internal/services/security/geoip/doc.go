// Package geoip tells the country of an address by a table that the user names. None is part of Bulkhead.
//
// A table is a text of lines "192.0.2.0/24,RO" (a network or an address, a comma, a country; more columns, remarks behind # and a heading are passed over; of networks within others the smallest
// counts), or a database in MaxMind's format whose records have country.iso_code.
package geoip
