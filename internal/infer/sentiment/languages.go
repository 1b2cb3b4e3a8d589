package sentiment

import "strings"

// tongue is what a language's grammar asks of the features.
type tongue struct {
	code        string
	splitBefore bool // an apostrophe begins a word: it 's
	splitAfter  bool // an apostrophe ends one: l' amour
	unspaced    bool // no spaces between words: characters are the features
	negations   []string
	contrasts   []string // words after which the weight of a sentence lies
	boosters    []string
}

// tongues are the languages, in the order of the model's dense weights: the order is part of the model's format.
func tongues() []tongue {
	return []tongue{
		{
			code: "en", splitBefore: true,
			negations: words("not n't no never cannot nothing without hardly barely neither nor nobody none lacks lack lacking cant dont wont isnt doesnt didnt wasnt aint"),
			contrasts: words("but however although though yet"),
			boosters:  words("very really so extremely incredibly totally absolutely too quite most such highly utterly completely"),
		},
		{
			code:      "de",
			negations: words("nicht kein keine keinen keinem keiner keines nie niemals ohne nichts kaum weder nich ned net"),
			contrasts: words("aber jedoch doch trotzdem sondern allerdings"),
			boosters:  words("sehr echt so total mega extrem wirklich richtig voll absolut zu ganz"),
		},
		{
			code:      "es",
			negations: words("no nunca jamás jamas ni sin nada tampoco nadie ningún ninguna ninguno"),
			contrasts: words("pero aunque sino embargo"),
			boosters:  words("muy tan demasiado más mas super súper bastante totalmente realmente mucho"),
		},
		{
			code: "fr", splitAfter: true,
			negations: words("ne n' pas jamais rien sans aucun aucune ni non guère"),
			contrasts: words("mais cependant pourtant toutefois"),
			boosters:  words("très tres trop si tellement vraiment super plus bien hyper extrêmement"),
		},
		{
			code: "it", splitAfter: true,
			negations: words("non mai senza niente nessuno nessuna nessun né nè nulla nn"),
			contrasts: words("ma però tuttavia invece"),
			boosters:  words("molto così troppo davvero più tanto super veramente proprio"),
		},
		{
			code:      "pt",
			negations: words("não nao nunca sem nem nada jamais ninguém nenhum nenhuma n"),
			contrasts: words("mas porém contudo entretanto"),
			boosters:  words("muito tão mto mt demais super bem mais bastante realmente"),
		},
		{code: "ja", unspaced: true},
		{code: "zh", unspaced: true},
	}
}

func words(s string) []string { return strings.Fields(s) }
