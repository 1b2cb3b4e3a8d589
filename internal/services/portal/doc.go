// Package portal is the web pages at portal.azure.com (and portal.SUFFIX): a shell with the rooms of the services that have something to look at.
//
// The portal holds nothing and decides nothing. A page is made of what Azure Resource Manager answers to the signed-in user's own token, asked in process through
// the front door, so that every role, deny and lock applies to pages as it does to az. A user signs in at the directory's own pages (authorization code with PKCE, as
// Azure's portal's public client); the installation's administrator, which is a service principal, by a link that `bulkhead portal` prints and that works once.
//
// Pages are templates rendered here and drawings are SVG made here. Every page works without JavaScript; the scripts add hovering, zooming and opening nodes in place.
// The policy of every page allows nothing but this host's own style sheet and scripts. What changes something is a form with the session's canary.
//
// Rooms: security (alerts, incidents, investigations); metrics with the thresholds, learned bands and fired spans of the rules that watch them; metric alerts; alert rules, each tried over
// what is stored before it is made; MySQL servers.
//
// Sessions live in memory: after a restart people sign in again.
//
//	GET /security/alerts HTTP/1.1            302 to the directory, and back
//	Host: portal.azure.com
package portal
