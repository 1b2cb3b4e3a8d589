// Package container is a Cognitive Services container: one API on a port of its own, as the images of Azure run it, without an image.
//
// It is started with arguments of the form Key=Value, in any case, or the same as environment variables with "__" for ":" (config.go). Three are demanded: Eula=accept,
// ApiKey and Billing. It serves the API without a key, and beside it
//
//	/         a home page
//	/ready    whether the model is loaded: 200, or 503
//	/status   whether the key is good, as far as the container knows
//	/swagger  a page to try the API out (swagger.go)
//
// # Usage
//
// What was done is counted and reported to the billing endpoint every ten minutes (meter.go): a number of transactions, never a text or an image. A report that does
// not get through is sent again, under the same sequence number, with what came meanwhile in the next one. After ten failed reports in a row the container answers 503
// with Retry-After until one gets through.
//
// # One report
//
//	POST /containers/v1.0/usage HTTP/1.1
//	Ocp-Apim-Subscription-Key: ...
//
//	{"usageRequestBody":{"id":"","apiType":"textanalytics","containerType":"language","containerVersion":"0.9.0","containerId":"0f...",
//	 "sequence":3,"meter":{"name":"CognitiveServices.TextAnalytics.Container.BatchScoring","quantity":10}}}
//
//	HTTP/1.1 200 OK
//
//	{"status":"Valid"}
//
// Azure's own endpoint for it isn't documented; the fields are those its containers are known to send.
package container
