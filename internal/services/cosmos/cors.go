package cosmos

import "github.com/bulkheadhq/bulkhead/internal/cors"

// corsPolicy is an entry of an account's cors, of which there is at most one.
type corsPolicy struct {
	Origins string `json:"allowedOrigins"`
	Methods string `json:"allowedMethods,omitempty"`
	Headers string `json:"allowedHeaders,omitempty"`
	Exposed string `json:"exposedHeaders,omitempty"`
	MaxAge  *int   `json:"maxAgeInSeconds,omitempty"`
}

func (s *settings) checkCORS() error {
	if len(s.Cors) > 1 {
		return bad("The account has %d CORS policies (cors); one is allowed, with several origins.", len(s.Cors))
	}
	for _, p := range s.Cors {
		origins := cors.Split(p.Origins)
		if len(origins) == 0 {
			return bad("The CORS policy has no allowedOrigins.")
		}
		for _, o := range origins {
			if err := cors.CheckOrigin(o); err != nil {
				return bad("The allowed origin '%.300s' of the CORS policy is invalid: %s.", o, err)
			}
		}
		if p.MaxAge != nil && (*p.MaxAge < 1 || *p.MaxAge > 1<<31-1) {
			return bad("The maxAgeInSeconds of the CORS policy is from 1 to 2147483647.")
		}
	}
	return nil
}

// cors is the policy as the gateway asks it; nil: there is none. What a policy does not say is open to all.
func (s *settings) cors() *cors.Policy {
	if len(s.Cors) == 0 {
		return nil
	}
	p := s.Cors[0]
	list := func(text string) []string {
		if l := cors.Split(text); len(l) > 0 {
			return l
		}
		return []string{cors.Any}
	}
	out := &cors.Policy{Origins: cors.Split(p.Origins), Methods: list(p.Methods), Headers: list(p.Headers), Exposed: list(p.Exposed)}
	if p.MaxAge != nil {
		out.MaxAge = *p.MaxAge
	}
	return out
}
