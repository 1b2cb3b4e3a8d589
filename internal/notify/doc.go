// Package notify brings messages out of the platform: by webhook and by mail, and keeps those that could not be delivered yet.
//
// Webhooks is the one way in which any service posts to an address that a user named. Queue is an outbox whose rows have a schedule of their own: a delivery is put in the transaction of what
// it tells of, tried at once, again after 10 and after 30 seconds, and if that failed, too, its endpoint is left alone for a quarter of an hour, by all
// deliveries; then it starts over, until the delivery is a day old (Azure gives up after the third attempt). A
// delivery is made at least once, and has an id that stays the same whenever it is made again: receivers know by it what they have.
//
// Errors never show an address: it may hold a signature.
package notify
