package text

import (
	"encoding/json"

	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
)

// object is a JSON object of a swagger document.
type object = map[string]any

// documents are the swagger documents of operations, the newest version of Text Analytics first. They are OpenAPI 2.0: what the containers' page shows.
func documents(ops []*operation) []api.Document {
	all := forms()
	var out []api.Document
	for i := len(all) - 1; i >= 0; i-- {
		out = append(out, versionDocument(all[i], ops))
	}
	return append(out, languageDocument(ops))
}

func made(name, title string, o object) api.Document {
	b, err := json.MarshalIndent(o, "", " ")
	if err != nil { // strings, numbers, lists and objects of them only
		panic("swagger document " + name + ": " + err.Error())
	}
	return api.Document{Name: name, Title: title, JSON: b}
}

func versionDocument(f *form, ops []*operation) api.Document {
	paths, defs := object{}, commonDefinitions(f)
	for _, o := range ops {
		params := []any{bodyParameter(o.inputName())}
		params = append(params, f.parameterList(o)...)
		paths["/"+o.name] = object{"post": object{
			"summary": o.title, "description": o.described(f), "operationId": o.id, "consumes": []string{"application/json", "text/json"},
			"produces": []string{"application/json"}, "parameters": params,
			"responses": object{
				"200":     object{"description": "The documents' results, and the errors of those that have none.", "schema": ref(o.id + "Result")},
				"default": object{"description": "What is wrong with the request as a whole.", "schema": ref("ErrorResponse")},
			},
		}}
		defs[o.inputName()] = inputDefinition(o)
		defs[o.id+"Result"] = resultDefinition(f, o)
	}
	return made("text-analytics-"+f.name, "Text Analytics "+f.name, object{
		"swagger": "2.0", "info": object{"title": "Text Analytics", "version": f.name, "description": "Finds out about texts: their language, their sentiment, what they are about."},
		"basePath": "/text/analytics/" + f.name, "paths": paths, "definitions": defs,
	})
}

func languageDocument(ops []*operation) api.Document {
	f := languageForm()
	defs := commonDefinitions(f)
	var kinds, results []string
	for _, o := range ops {
		kinds, results = append(kinds, o.kind), append(results, o.result)
		defs[o.id+"Result"] = resultDefinition(f, o)
	}
	first := ops[0]
	defs["AnalyzeText"] = object{
		"type": "object", "required": []string{"kind", "analysisInput"},
		"properties": object{
			"kind":          object{"type": "string", "enum": kinds},
			"analysisInput": inputDefinition(first),
			"parameters": object{"type": "object", "properties": object{
				"modelVersion": text("latest"), "loggingOptOut": object{"type": "boolean"},
				"stringIndexType": object{"type": "string", "enum": []string{"TextElements_v8", "UnicodeCodePoint", "Utf16CodeUnit"}},
			}},
		},
		"example": object{"kind": first.kind, "analysisInput": first.example(), "parameters": object{"modelVersion": "latest"}},
	}
	result := ref(first.id + "Result")
	if len(ops) > 1 {
		result = object{"type": "object"}
	}
	defs["AnalyzeTextResult"] = object{
		"type": "object", "required": []string{"kind", "results"}, "properties": object{"kind": object{"type": "string", "enum": results}, "results": result},
	}
	return made("language-text", "Language", object{
		"swagger": "2.0", "info": object{"title": "Language", "version": "2023-04-01", "description": "One operation for all; its body says what to find out."},
		"basePath": "/language",
		"paths": object{"/:analyze-text": object{"post": object{
			"summary": "Analyze text", "operationId": "Text_Analyze", "consumes": []string{"application/json"}, "produces": []string{"application/json"},
			"parameters": []any{
				object{"name": "api-version", "in": "query", "type": "string", "required": true, "default": "2023-04-01"},
				object{"name": "showStats", "in": "query", "type": "boolean", "required": false, "description": "Whether to answer statistics, too."},
				bodyParameter("AnalyzeText"),
			},
			"responses": object{
				"200":     object{"description": "The documents' results.", "schema": ref("AnalyzeTextResult")},
				"default": object{"description": "What is wrong with the request as a whole.", "schema": ref("ErrorResponse")},
			},
		}}},
		"definitions": defs,
	})
}

func (o *operation) inputName() string {
	if o.single == "language" {
		return "LanguageBatchInput"
	}
	return "MultiLanguageBatchInput"
}

func (o *operation) described(f *form) string {
	most := "1,000"
	if o.most(f) == 10 {
		most = "10"
	}
	return "At most " + most + " documents of at most 5,120 characters each."
}

// example is a body to try the operation with.
func (o *operation) example() object {
	if o.single == "language" {
		return object{"documents": []any{
			object{"id": "1", "text": "Hello world. This is some input text that I love.", "countryHint": "US"},
			object{"id": "2", "text": "Bonjour tout le monde"},
			object{"id": "3", "text": "La carretera estaba atascada. Había mucho tráfico el día de ayer."},
		}}
	}
	return object{"documents": []any{
		object{"id": "1", "language": "en", "text": "Hello world. This is some input text that I love."},
		object{"id": "2", "language": "es", "text": "La carretera estaba atascada. Había mucho tráfico el día de ayer."},
	}}
}

func bodyParameter(schema string) object {
	return object{"name": "input", "in": "body", "required": true, "schema": ref(schema)}
}

func (f *form) parameterList(o *operation) []any {
	var out []any
	query := func(name, kind, text string) {
		out = append(out, object{"name": name, "in": "query", "type": kind, "required": false, "description": text})
	}
	if f.stats {
		query("showStats", "boolean", "Whether to answer statistics, too.")
	}
	if !f.flat {
		query("model-version", "string", "latest, or "+ModelVersion+".")
	}
	if f.index {
		query("loggingOptOut", "boolean", "Nothing is logged of a text, whatever it says.")
		if o.single == "sentiment" {
			query("stringIndexType", "string", "What offsets and lengths count: TextElements_v8, UnicodeCodePoint or Utf16CodeUnit.")
		}
	}
	return out
}

func ref(name string) object { return object{"$ref": "#/definitions/" + name} }

func text(example string) object {
	o := object{"type": "string"}
	if example != "" {
		o["example"] = example
	}
	return o
}

func list(of object) object { return object{"type": "array", "items": of} }

func whole() object { return object{"type": "integer", "format": "int32"} }

func share() object { return object{"type": "number", "format": "double", "minimum": 0, "maximum": 1} }

func record(required []string, properties object) object {
	return object{"type": "object", "required": required, "properties": properties}
}

func inputDefinition(o *operation) object {
	doc := object{"id": text("1"), "text": text("Hello world.")}
	if o.single == "language" {
		doc["countryHint"] = text("US")
	} else {
		doc["language"] = text("en")
	}
	in := record([]string{"documents"}, object{"documents": list(record([]string{"id", "text"}, doc))})
	in["example"] = o.example()
	return in
}

func commonDefinitions(f *form) object {
	inner := record([]string{"code", "message"}, object{"code": text(""), "message": text("")})
	if f.flat {
		return object{"ErrorResponse": object{"type": "object", "properties": object{
			"code": text(""), "message": text(""), "innerError": inner, "error": object{"type": "object"},
		}}}
	}
	body := record([]string{"code", "message"}, object{"code": text(""), "message": text(""), "target": text(""), "innererror": inner})
	return object{"ErrorResponse": record([]string{"error"}, object{"error": body})}
}

// resultDefinition describes an operation's answer.
func resultDefinition(f *form, o *operation) object {
	doc := object{"id": text("")}
	needed := []string{"id"}
	for name, schema := range o.answerProperties(f) {
		doc[name], needed = schema, append(needed, name)
	}
	failure := object{"id": text(""), "message": text("")}
	failed := []string{"id", "message"}
	if !f.flat {
		doc["warnings"], needed = list(object{"type": "object"}), append(needed, "warnings")
		inner := record([]string{"code", "message"}, object{"code": text(""), "message": text("")})
		failure = object{"id": text(""), "error": record([]string{"code", "message"}, object{"code": text(""), "message": text(""), "innererror": inner})}
		failed = []string{"id", "error"}
	}
	all, wanted := object{}, []string{"documents", "errors"}
	if f.stats {
		doc["statistics"] = record([]string{"charactersCount", "transactionsCount"}, object{"charactersCount": whole(), "transactionsCount": whole()})
		all["statistics"] = record([]string{"documentsCount", "validDocumentsCount", "erroneousDocumentsCount", "transactionsCount"}, object{
			"documentsCount": whole(), "validDocumentsCount": whole(), "erroneousDocumentsCount": whole(), "transactionsCount": whole(),
		})
	}
	all["documents"], all["errors"] = list(record(needed, doc)), list(record(failed, failure))
	if !f.flat {
		all["modelVersion"], wanted = text(""), append(wanted, "modelVersion")
	}
	return record(wanted, all)
}

// answerProperties are what an operation adds to a document's result.
func (o *operation) answerProperties(f *form) object {
	shares := record([]string{"positive", "neutral", "negative"}, object{"positive": share(), "neutral": share(), "negative": share()})
	switch {
	case o.single == "language" && f.flat:
		// The score of an unknown language is the text "NaN", which no type of OpenAPI 2.0 allows beside a number.
		return object{"detectedLanguages": list(record([]string{"name", "iso6391Name", "score"}, object{"name": text(""), "iso6391Name": text(""), "score": object{}}))}
	case o.single == "language":
		return object{"detectedLanguage": record([]string{"name", "iso6391Name", "confidenceScore"}, object{"name": text(""), "iso6391Name": text(""), "confidenceScore": share()})}
	case o.single == "sentiment" && f.flat:
		return object{"score": share()}
	case o.single == "sentiment":
		label := object{"type": "string", "enum": []string{"positive", "neutral", "negative", "mixed"}}
		sentence := record([]string{"sentiment", "confidenceScores", "offset", "length", "text"}, object{
			"sentiment": label, "confidenceScores": shares, "offset": whole(), "length": whole(), "text": text(""),
		})
		return object{"sentiment": label, "confidenceScores": shares, "sentences": list(sentence)}
	}
	return object{"keyPhrases": list(text(""))}
}
