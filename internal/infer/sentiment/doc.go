// Package sentiment tells how favourable a text is: for a document and for each of its sentences the shares of positive,
// neutral and negative, and the one number of 0..1 of Text Analytics v2.
//
// The model is one hashed linear model for all its languages: single words and pairs of words (of the language), character
// n-grams (shared by the European languages, so that cognates and names learn from each other), and a handful of numbers
// from polarity lexicons with the scope of negations. Two weights per hash: one pulls between negative and positive, one
// towards neutral. They are quantised to eight bits; a temperature per language makes the shares say how often they are
// right. docs/models/sentiment.md tells data, licences and measured quality.
//
// Left out: opinion mining (targets and assessments), sarcasm, and every language that isn't in Languages: those answer
// ErrLanguage instead of a guess.
//
// One exchange: Analyze("The food was delicious and there were wonderful staff.", "en") gives Label "positive", a Score near 1
// and one Sentence of bytes 0..54.
package sentiment
