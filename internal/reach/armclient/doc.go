// Package armclient takes the command lines of ARMClient, the tool that posts and documentation of 2018 show Azure Resource Manager with, and sends them to the
// platform:
//
//	armclient PUT "subscriptions/S/resourceGroups/G?api-version=2018-05-01" "{'location':'westeurope'}"
//	armclient GET subscriptions/S/resourceGroups/G?api-version=2018-05-01 -verbose
//
// It accepts them as printed there: verbs in any case, an address with or without a leading slash or host, @file, the quotation marks that typesetting made of
// straight ones around an address, and a stray piece of the api-version behind it. The body is sent as it stands: Resource Manager itself reads it leniently.
//
// Signing in is the caller's: a Client is given credentials of an application and keeps nothing.
package armclient
