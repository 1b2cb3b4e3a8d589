package sigma
import ("testing";"sort")
func TestZZ(t *testing.T) {
	s := manyRules(t, 2000)
	events := machineEvents(s.schema, 4096)
	src := &s.sources[SourceProcessCreation]
	hits := map[string]int{}; prog := map[string]int{}
	tot := 0
	for _, e := range events {
		for i := range src.scans { f := &src.scans[i]; v := e[f.field]
			f.machine.scan(v, func(x int32, end int) bool { tx := &f.texts[x]; tot++
				if tx.end && end != len(v) || tx.start && end != tx.len { hits["miss"]++; return false }
				k := s.schema.Fields[f.field]+" "+string(v[end-tx.len:end]); hits[k]+=len(tx.programs); prog[k]=len(tx.programs); return false})
		}
	}
	type kv struct{k string; n int}
	var l []kv
	for k,n := range hits { l = append(l, kv{k,n}) }
	sort.Slice(l, func(i,j int) bool { return l[i].n>l[j].n })
	for _, x := range l[:min(len(l),45)] { t.Log(x.k, float64(x.n)/4096, prog[x.k]) }
	t.Log(float64(tot)/4096)
	for i := range src.scans { t.Log(s.schema.Fields[src.scans[i].field], src.scans[i].machine.bytes(), src.scans[i].machine.width) }
	for _, a := range src.always { t.Log("always", s.Rules[src.programs[a.program].rule].Title, s.Rules[src.programs[a.program].rule].File) }
}
