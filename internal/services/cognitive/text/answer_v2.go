package text

import "strconv"

// writeV2 is the answer of versions 2.0 and 2.1.
func writeV2(b []byte, o *operation, w *work, q options) []byte {
	b = appendAnswers(b, w, q, `}`, func(b []byte, _ *document, r *result) []byte { return appendV2(b, o, r) }, func(b []byte, e *docError) []byte {
		b = append(b, `,"message":`...)
		b = appendString(b, e.flat)
		return append(b, '}')
	})
	return append(b, '}')
}

// appendAnswers begins an answer of any version: statistics, documents with their results, and the errors of those that have none. result appends what was found out about a
// document, end closes it, failure appends an error and closes it.
func appendAnswers(b []byte, w *work, q options, end string, result func(b []byte, d *document, r *result) []byte, failure func(b []byte, e *docError) []byte) []byte {
	b = append(b, '{')
	if q.stats {
		b = appendStatistics(b, w)
		b = append(b, ',')
	}
	b = append(b, `"documents":[`...)
	first := true
	for i := range w.docs {
		r := &w.results[i]
		if r.fail != nil {
			continue
		}
		b = comma(b, &first)
		b = append(b, `{"id":`...)
		b = appendString(b, w.docs[i].id)
		b = result(b, &w.docs[i], r)
		if q.stats {
			b = append(b, ',')
			b = appendOwnStatistics(b, r)
		}
		b = append(b, end...)
	}
	b = append(b, `],"errors":[`...)
	first = true
	for i := range w.docs {
		if e := w.results[i].fail; e != nil {
			b = comma(b, &first)
			b = append(b, `{"id":`...)
			b = appendString(b, w.docs[i].id)
			b = failure(b, e)
		}
	}
	return append(b, ']')
}

func appendV2(b []byte, o *operation, r *result) []byte {
	switch o.single {
	case "language":
		// An unknown language's score is not a number, which JSON can only say as text.
		if r.language.ISO == "" {
			return append(b, `,"detectedLanguages":[{"name":"(Unknown)","iso6391Name":"(Unknown)","score":"NaN"}]`...)
		}
		b = append(b, `,"detectedLanguages":[{"name":`...)
		b = appendString(b, r.language.Name)
		b = append(b, `,"iso6391Name":`...)
		b = appendString(b, r.language.ISO)
		b = append(b, `,"score":`...)
		b = appendScore(b, r.language.Score)
		return append(b, `}]`...)
	case "sentiment":
		b = append(b, `,"score":`...)
		return appendScore(b, r.opinion.Score)
	default:
		return appendPhrases(b, r.phrases)
	}
}

func appendPhrases(b []byte, phrases []string) []byte {
	b = append(b, `,"keyPhrases":[`...)
	for i, p := range phrases {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, p)
	}
	return append(b, ']')
}

func comma(b []byte, first *bool) []byte {
	if *first {
		*first = false
		return b
	}
	return append(b, ',')
}

func appendStatistics(b []byte, w *work) []byte {
	valid, units := 0, 0
	for i := range w.results {
		if w.results[i].fail == nil {
			valid++
			units += w.results[i].units
		}
	}
	b = append(b, `"statistics":{"documentsCount":`...)
	b = strconv.AppendInt(b, int64(len(w.docs)), 10)
	b = append(b, `,"validDocumentsCount":`...)
	b = strconv.AppendInt(b, int64(valid), 10)
	b = append(b, `,"erroneousDocumentsCount":`...)
	b = strconv.AppendInt(b, int64(len(w.docs)-valid), 10)
	b = append(b, `,"transactionsCount":`...)
	b = strconv.AppendInt(b, int64(units), 10)
	return append(b, '}')
}

func appendOwnStatistics(b []byte, r *result) []byte {
	b = append(b, `"statistics":{"charactersCount":`...)
	b = strconv.AppendInt(b, int64(r.elements), 10)
	b = append(b, `,"transactionsCount":`...)
	b = strconv.AppendInt(b, int64(r.units), 10)
	return append(b, '}')
}
