package lang

import "strings"

// Groups of languages by how much is written in them, as far as a short text should be taken for one of the widely used rather than of a small one that shares its words. Who is in
// which group is a judgement, made before measuring; how much each counts was chosen of three settings. Every language not named has 0.
const (
	wide      = "en es fr de pt it ru zh ar ja nl pl tr hi"
	regional  = "ay ba bm br ceb co crh cv ee ff fo fur fy gl gn gv haw hsb ilo iu jv kab kl lb ln oc om os pap qu rm rn sa sah sc sd se sg ss su ti tk tt ug ve wa war wo nso bo dz ckb ht"
	rarest    = "ch bi nv ty yua yue fj sm to"
	wideAdds  = 3
	english   = 5
	bosnian   = -1 // its texts and those of Croatian are nearly the same
	fewAdd    = -8
	rarestAdd = -12
)

// DefaultPriors are what is added to a language's logit, divided by the square root of the letters of a text.
func DefaultPriors() map[string]float64 {
	p := map[string]float64{}
	for _, g := range []struct {
		languages string
		add       float64
	}{{wide, wideAdds}, {regional, fewAdd}, {rarest, rarestAdd}} {
		for _, l := range strings.Fields(g.languages) {
			p[l] = g.add
		}
	}
	p["en"], p["bs"] = english, bosnian
	return p
}
