package text

import "strconv"

// writeV3 is the answer of versions 3.0 and 3.1.
func writeV3(b []byte, o *operation, w *work, q options) []byte {
	b = appendAnswers(b, w, q, `,"warnings":[]}`, func(b []byte, d *document, r *result) []byte { return appendV3(b, o, r, d.text, q) }, appendFailure)
	b = append(b, `,"modelVersion":`...)
	b = appendString(b, ModelVersion)
	return append(b, '}')
}

// writeLanguage is the answer of :analyze-text.
func writeLanguage(b []byte, o *operation, w *work, q options) []byte {
	b = append(b, `{"kind":`...)
	b = appendString(b, o.result)
	b = append(b, `,"results":`...)
	b = writeV3(b, o, w, q)
	return append(b, '}')
}

// appendFailure appends what is wrong with a document.
func appendFailure(b []byte, e *docError) []byte {
	b = append(b, `,"error":{"code":`...)
	b = appendString(b, e.code)
	b = append(b, `,"message":`...)
	b = appendString(b, e.message)
	b = append(b, `,"innererror":{"code":`...)
	b = appendString(b, e.inner)
	b = append(b, `,"message":`...)
	b = appendString(b, e.innerMessage)
	return append(b, `}}}`...)
}

func appendV3(b []byte, o *operation, r *result, text string, q options) []byte {
	switch o.single {
	case "language":
		if r.language.ISO == "" {
			return append(b, `,"detectedLanguage":{"name":"(Unknown)","iso6391Name":"(Unknown)","confidenceScore":0.0}`...)
		}
		b = append(b, `,"detectedLanguage":{"name":`...)
		b = appendString(b, r.language.Name)
		b = append(b, `,"iso6391Name":`...)
		b = appendString(b, r.language.ISO)
		b = append(b, `,"confidenceScore":`...)
		b = appendHundredths(b, hundredths(r.language.Score))
		return append(b, '}')
	case "sentiment":
		return appendOpinion(b, &r.opinion, text, q)
	default:
		return appendPhrases(b, r.phrases)
	}
}

func appendOpinion(b []byte, o *Opinion, text string, q options) []byte {
	b = append(b, `,"sentiment":`...)
	b = appendString(b, o.Label)
	b = appendShares(b, o.Scores)
	b = append(b, `,"sentences":[`...)
	at, offset := 0, 0 // how far into the text offset counts
	first := true
	for _, s := range o.Sentences {
		if s.Start < at || s.End < s.Start || s.End > len(text) {
			continue
		}
		offset += q.unit(text[at:s.Start])
		length := q.unit(text[s.Start:s.End])
		b = comma(b, &first)
		b = append(b, `{"sentiment":`...)
		b = appendString(b, s.Scores.label())
		b = appendShares(b, s.Scores)
		b = append(b, `,"offset":`...)
		b = strconv.AppendInt(b, int64(offset), 10)
		b = append(b, `,"length":`...)
		b = strconv.AppendInt(b, int64(length), 10)
		b = append(b, `,"text":`...)
		b = appendString(b, text[s.Start:s.End])
		b = append(b, '}')
		at, offset = s.End, offset+length
	}
	return append(b, ']')
}

func appendShares(b []byte, s Scores) []byte {
	v := s.shares()
	b = append(b, `,"confidenceScores":{"positive":`...)
	b = appendHundredths(b, v[0])
	b = append(b, `,"neutral":`...)
	b = appendHundredths(b, v[1])
	b = append(b, `,"negative":`...)
	b = appendHundredths(b, v[2])
	return append(b, '}')
}

// label is a sentence's: the sentiment its text is most likely of.
func (s Scores) label() string {
	switch {
	case s.Positive >= s.Neutral && s.Positive >= s.Negative:
		return "positive"
	case s.Negative >= s.Neutral:
		return "negative"
	}
	return "neutral"
}
