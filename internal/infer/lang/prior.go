package lang

import "strings"

// Groups of languages by how much is written in them, as far as a short text should be taken for one of the widely used rather than of a small one that shares its words. They are
// judgements, made before measuring; every language not named has 0.
const (
	wide      = "en es fr de pt it ru zh ar ja nl pl tr hi"
	regional  = "ay ba bm br ceb co crh cv ee ff fo fur fy gn gv haw hsb ilo iu jv kab kl lb ln oc om os pap qu rm rn sa sah sc sd se sg ss su szl ti tk tt ug ve wa war wo nso ast bo dz ckb ht"
	rarest    = "ia io sco ch bi nv ty yua yue fj sm to"
	wideAdds  = 1.5
	fewAdd    = -2.25
	rarestAdd = -4.5
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
	return p
}
