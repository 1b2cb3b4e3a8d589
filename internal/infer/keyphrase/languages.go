package keyphrase

import "strings"

// tongue is what a language's grammar asks of candidates.
type tongue struct {
	code        string
	splitBefore bool // 's is a word
	splitAfter  bool // l' is a word
	after       bool // adjectives stand after the noun too
	linkers     map[uint64]bool
	stops       map[uint64]bool // words that begin or end no phrase, whatever their tag
}

// tongues are the tagged languages, in the order of the models' file.
func tongues() []tongue {
	return []tongue{
		{code: "en", splitBefore: true, linkers: set("of"), stops: set(`such other many several various more most much same own few less least each every all any some both another
			way ways case cases number lot thing things use uses example examples paper papers article work author authors order part terms addition time times kind kinds sort
			first second third one two three new well also fig figure section different due able important certain good better best great possible available
			today yesterday tomorrow year years month months week weeks day days hour hours minute minutes`)},
		{code: "de", linkers: set(""), stops: set("andere anderen anderer anderes viele vielen einige ersten erste zweiten zweite mehr ganze ganzen beispiel art teil zeit jahr jahre jahren tag tage tagen woche wochen monat monate monaten stunde stunden minute minuten mal neue neuen neuer neues")},
		{code: "es", after: true, linkers: set("de del"), stops: set("otro otra otros otras mismo misma gran primer primera primero segunda segundo parte vez veces cosa cosas tipo ejemplo forma manera nuevo nueva causa año años día días semana semanas mes meses hora horas minuto minutos")},
		{code: "fr", splitAfter: true, after: true, linkers: set("de du des d'"), stops: set("autre autres même premier première grand grande partie fois chose choses type exemple façon nouveau nouvelle plusieurs cause point an ans année années jour jours semaine semaines mois heure heures minute minutes")},
		{code: "it", splitAfter: true, after: true, linkers: set("di del della dei degli delle dell'"), stops: set("altro altra altri altre stesso stessa primo prima grande parte volta volte cosa cose tipo esempio modo nuovo nuova causa anno anni giorno giorni settimana settimane mese mesi ora ore minuto minuti")},
		{code: "pt", after: true, linkers: set("de do da dos das"), stops: set("outro outra outros outras mesmo mesma primeiro primeira grande parte vez vezes coisa coisas tipo exemplo forma maneira novo nova causa ano anos dia dias semana semanas mês meses hora horas minuto minutos")},
		{code: "nl", linkers: set(""), stops: set("andere eerste tweede deel keer ding dingen soort voorbeeld manier tijd jaar jaren dag dagen week weken maand maanden uur minuut minuten nieuwe veel enkele")},
	}
}

func set(s string) map[uint64]bool {
	out := map[uint64]bool{}
	for _, w := range strings.Fields(s) {
		out[hashWord(w)] = true
	}
	return out
}
