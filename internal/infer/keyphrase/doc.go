// Package keyphrase finds the phrases that tell what a text is about, the most telling first, in the text's own words.
//
// A tagger (averaged perceptron, one per language) gives every word its part of speech; runs of nouns with what describes them
// are the candidates; a linear ranker, learnt from abstracts with the phrases that people gave them, weighs each by how often,
// how early and how widely it stands, how rare its words are, its length, its shape and, in English, its words. Japanese goes
// through kagome and its IPA dictionary, which is unpacked at the first Japanese text. docs/models/keyphrase.md tells data,
// licences and measured quality.
//
// The number of phrases grows with the text: about one for every six words, at least one candidate's worth. Scores aren't told,
// as Text Analytics doesn't. A language that isn't in Languages answers ErrLanguage.
//
// One exchange: Phrases("The food was delicious and there were wonderful staff.", "en") gives wonderful staff, food.
package keyphrase
