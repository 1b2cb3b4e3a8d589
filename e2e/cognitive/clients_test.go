package cognitive

import (
	"encoding/json"
	"strings"
	"testing"
)

// expected are what the scripts print of language detection.
func expected(script string) map[string]string {
	if strings.HasSuffix(script, ".mjs") {
		return map[string]string{
			"older": `["fr","en","(Unknown)"]`, "newer": `["fr","en","(Unknown)"]`, "documentErrors": `["InvalidDocument","InvalidCountryHint"]`,
			"requestError": `[400,"InvalidRequest","Invalid document in request."]`,
			"statistics":   `{"documentCount":3,"validDocumentCount":3,"erroneousDocumentCount":0,"transactionCount":3}`,
		}
	}
	out := map[string]string{"language v2.1": `["fr", "en", "(Unknown)"]`, "statistics v2.1": `[3, 3]`}
	for _, v := range []string{"2023-04-01", "2022-05-01", "v3.1", "v3.0"} {
		out["language "+v], out["error "+v] = `["fr", "en", "(Unknown)"]`, `[400, "InvalidDocument"]`
	}
	return out
}

// TestClients_Account: Azure's clients against an account, by the names Azure has for it.
func TestClients_Account(t *testing.T) {
	p := shared.Platform(t)
	for _, name := range []string{"cognitive.mjs", "cognitive.py"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := put(t, p, "TextAnalytics", "S", true)
			built(t, p, a, "language")
			got := script(t, p, name, a.endpoint, a.key, "language")
			want(t, got, expected(name))
			within(t, "usage", func() bool { return a.usages(t, p)["TextAnalytics.Transactions"] > 0 })
		})
	}
}

// TestClients_Container: the same clients, and the same answers, against a container.
func TestClients_Container(t *testing.T) {
	p := shared.Platform(t)
	a := put(t, p, "TextAnalytics", "S", false)
	built(t, p, a, "language")
	c := run(t, p, "language", "eula=accept", "apikey="+a.key, "billing="+endpoint)
	for _, name := range []string{"cognitive.mjs", "cognitive.py"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := script(t, p, name, c.url, a.key, "language")
			want(t, got, expected(name))
		})
	}
}

// TestClients_OpinionsAndPhrases: sentiment and key phrases, by both clients, from an account and from containers.
func TestClients_OpinionsAndPhrases(t *testing.T) {
	p := shared.Platform(t)
	a := put(t, p, "CognitiveServices", "S0", true)
	built(t, p, a, "sentiment", "keyphrase")
	sentiment := run(t, p, "sentiment", "eula=accept", "apikey="+a.key, "billing="+a.endpoint)
	keyphrase := run(t, p, "keyphrase", "eula=accept", "apikey="+a.key, "billing="+a.endpoint)
	for _, name := range []string{"cognitive.mjs", "cognitive.py"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := script(t, p, name, a.endpoint, a.key, "sentiment", "keyphrase")
			for k, v := range script(t, p, name, sentiment.url, a.key, "sentiment") {
				if string(got[k]) != string(v) {
					t.Errorf("%s: the account says %s, the container %s", k, got[k], v)
				}
			}
			for k, v := range script(t, p, name, keyphrase.url, a.key, "keyphrase") {
				if string(got[k]) != string(v) {
					t.Errorf("%s: the account says %s, the container %s", k, got[k], v)
				}
			}
			checkOpinions(t, got)
		})
	}
}

// checkOpinions demands of every answer that the mixed text is mixed and its sentences are what they say, and that the phrases name the food and the staff.
func checkOpinions(t *testing.T, got map[string]json.RawMessage) {
	t.Helper()
	if len(got) < 4 {
		t.Errorf("%d answers", len(got))
	}
	for k, v := range got {
		text := string(v)
		switch {
		case strings.HasPrefix(strings.ToLower(k), "phrases"), k == "newerPhrases":
			if !strings.Contains(text, "food") || !strings.Contains(text, "staff") {
				t.Errorf("%s: %s", k, text)
			}
		case k == "unknownLanguage":
			if text != `["UnsupportedLanguageCode"]` {
				t.Errorf("%s: %s", k, text)
			}
		case k == "sentiment v2.1":
			var scores []float64
			if err := json.Unmarshal(v, &scores); err != nil || len(scores) != 2 || scores[0] < 0.6 || scores[1] > 0.4 {
				t.Errorf("%s: %s", k, text)
			}
		case strings.Contains(strings.ToLower(k), "sentiment"):
			if !strings.Contains(text, `"mixed"`) {
				t.Errorf("%s: %s", k, text)
			}
		}
	}
}
