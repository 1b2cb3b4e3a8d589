// Package text is Text Analytics: language detection, sentiment and key phrases, in the forms of Text Analytics 2.0, 2.1, 3.0 and 3.1 and of the Language
// service's POST /language/:analyze-text.
//
// All forms are one work in three steps: a body is parsed into documents (request.go), each document gets a result of its own (work.go), the results are written as
// the form wants them (answer_v2.go, answer_v3.go). A document that is at fault gets an error of its own beside the others' results; what is wrong with the request
// as a whole refuses it.
//
// # Limits
//
// A request has at most 1 MiB; a document at most 5,120 text elements (grapheme clusters); a request at most 1,000 documents, in version 3 and :analyze-text 10 for
// sentiment and key phrases. A document is a transaction for every 1,000 text elements begun.
//
// # What it leaves out
//
// Opinion mining, entities, personal information, healthcare and the asynchronous jobs are refused with an error that names them. Sentiment and key phrases of a
// language there is no model of are refused as Azure refuses languages: it is never guessed. The engines are interfaces (engines.go).
//
// # One exchange
//
//	POST /text/analytics/v3.1/languages HTTP/1.1
//
//	{"documents":[{"id":"1","text":"Bonjour tout le monde"}]}
//
//	HTTP/1.1 200 OK
//
//	{"documents":[{"id":"1","detectedLanguage":{"name":"French","iso6391Name":"fr","confidenceScore":1.0},"warnings":[]}],"errors":[],"modelVersion":"2026-11-01"}
//
// Source: Azure/azure-rest-api-specs, specification/cognitiveservices/data-plane/TextAnalytics and Language.
package text
