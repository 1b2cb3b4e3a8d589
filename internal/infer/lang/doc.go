// Package lang tells which language a text is written in: its own model for 161 languages is part of the binary, and any model in fastText's format can be opened instead.
//
// A text is normalised (small letters, nothing but letters and the signs within words), its letters are counted by script, and only languages written in the script of most letters
// are possible. Where that leaves one, it is the answer; else a linear model over character n-grams (package fasttext) decides. A long text is looked at in parts, so that one in
// two languages gets that of its greater part with a lower score. The probability is calibrated by the length of the text: of answers with score s, a share of s is right
// (docs/models/language.md tells how exactly). A country hint is a prior over the languages of that country, and weighs less the longer the text is.
//
// Names and codes are those of Azure's Text Analytics: ISO 639-1 where there is one, else ISO 639-3, and zh_chs and zh_cht (Chinese_Simplified, Chinese_Traditional) where
// characters tell the script, plain zh (Chinese) where they don't. Digits, signs and texts of which nothing is known have no language: Result.ISO is "".
//
//	d, err := lang.Default()
//	d.Detect("Bonjour tout le monde", "US") // {Name: "French", ISO: "fr", Score: 0.99}
package lang
