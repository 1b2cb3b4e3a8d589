package directory

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// federatedMax bounds the federated credentials of one application, as Entra ID does.
const federatedMax = 20

// graphFederated is a federated credential as Microsoft Graph shows it.
// https://learn.microsoft.com/graph/api/resources/federatedidentitycredential
type graphFederated struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	Subject     string   `json:"subject"`
	Description *string  `json:"description"`
	Audiences   []string `json:"audiences"`
}

func viewFederated(f *Federated) graphFederated {
	return graphFederated{f.ID, f.Name, f.Issuer, f.Subject, nullable(f.Description), append([]string{}, f.Audiences...)}
}

// values implements filterable.
func (f *Federated) values(property string) (values []string, collection, ok bool) {
	switch property {
	case "id":
		return []string{f.ID}, false, true
	case "name":
		return []string{f.Name}, false, true
	case "issuer":
		return []string{f.Issuer}, false, true
	case "subject":
		return []string{f.Subject}, false, true
	}
	return nil, false, false
}

type graphFederatedBody struct {
	Name        optional[string]   `json:"name"`
	Issuer      optional[string]   `json:"issuer"`
	Subject     optional[string]   `json:"subject"`
	Description optional[string]   `json:"description"`
	Audiences   optional[[]string] `json:"audiences"`
	Expression  optional[any]      `json:"claimsMatchingExpression"`
}

func (in *graphFederatedBody) apply(f *Federated) error {
	if in.Expression.Set && in.Expression.Value != nil {
		return badRequest("claimsMatchingExpression", "Property 'claimsMatchingExpression' is not supported: name the exact subject.")
	}
	in.Issuer.into(&f.Issuer)
	in.Subject.into(&f.Subject)
	in.Description.into(&f.Description)
	in.Audiences.into(&f.Audiences)
	return nil
}

// checkFederated holds an application's federated credentials to Entra ID's rules.
func checkFederated(all []Federated) error {
	if len(all) > federatedMax {
		return badRequest("federatedIdentityCredentials", "An application has at most 20 federated identity credentials.")
	}
	for i := range all {
		f := &all[i]
		u, err := url.Parse(f.Issuer)
		switch {
		case len(f.Name) < 3 || len(f.Name) > 120 || strings.IndexFunc(f.Name, badInCredentialName) >= 0 || f.Name[0] == '-' || f.Name[0] == '_':
			return badRequest("name", "Property 'name' must have 3 to 120 letters, digits, dashes and underscores, a letter or digit first.")
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(f.Issuer) > 600:
			return badRequest("issuer", "Property 'issuer' must be the URL of the token's issuer.")
		case f.Subject == "" || len(f.Subject) > 600:
			return badRequest("subject", "Property 'subject' must have 1 to 600 characters.")
		case len(f.Audiences) != 1 || f.Audiences[0] == "" || len(f.Audiences[0]) > 600:
			return badRequest("audiences", "Property 'audiences' can only have a single value, such as api://AzureADTokenExchange.")
		case len(f.Description) > 600:
			return badRequest("description", "Property 'description' must have at most 600 characters.")
		}
		for _, o := range all[:i] {
			if o.Name == f.Name {
				return fault.New(fault.Conflict, "Request_MultipleObjectsWithSameKeyValue", "FederatedIdentityCredential with name %s already exists.", f.Name)
			}
			if o.Issuer == f.Issuer && o.Subject == f.Subject {
				return fault.New(fault.Conflict, "Request_MultipleObjectsWithSameKeyValue", "The combination of issuer and subject must be unique on the application.")
			}
		}
	}
	return nil
}

func badInCredentialName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

// federatedAt is the index of the credential that the path names, by id or name.
func federatedAt(all []Federated, idOrName string) (int, error) {
	if _, name, ok := alternateKey(idOrName); ok {
		idOrName = name
	}
	i := slices.IndexFunc(all, func(f Federated) bool { return f.ID == strings.ToLower(idOrName) || f.Name == idOrName })
	if i < 0 {
		return 0, notFound("federated identity credential", idOrName)
	}
	return i, nil
}

func (s *Service) graphListFederated(ctx context.Context, r *wire.Request) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	page, err := newPager(r, "applications('"+app.ObjectID+"')/federatedIdentityCredentials")
	if err != nil {
		return nil, err
	}
	all := slices.Clone(app.Federated)
	slices.SortFunc(all, func(a, b Federated) int { return strings.Compare(a.ID, b.ID) })
	for i := range all {
		if _, err := page.add(all[i].ID, viewFederated(&all[i]), &all[i]); err != nil {
			return nil, err
		}
	}
	return page.answer(), nil
}

func answerFederated(r *wire.Request, app *Application, f *Federated) (any, error) {
	return entityAnswer(r, "applications('"+app.ObjectID+"')/federatedIdentityCredentials", viewFederated(f))
}

func (s *Service) graphCreateFederated(ctx context.Context, r *wire.Request, in *graphFederatedBody) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	f := Federated{ID: ids.New(), Name: in.Name.Value}
	if err := in.apply(&f); err != nil {
		return nil, err
	}
	_, err = s.ChangeApplication(ctx, app.TenantID, app.ObjectID, func(a *Application) error {
		a.Federated = append(a.Federated, f)
		return checkFederated(a.Federated)
	})
	if err != nil {
		return nil, err
	}
	out, err := answerFederated(r, app, &f)
	if err != nil {
		return nil, err
	}
	return wire.Created(out), nil
}

func (s *Service) graphGetFederated(ctx context.Context, r *wire.Request) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	i, err := federatedAt(app.Federated, r.Param("credential"))
	if err != nil {
		return nil, err
	}
	return answerFederated(r, app, &app.Federated[i])
}

func (s *Service) graphPatchFederated(ctx context.Context, r *wire.Request, in *graphFederatedBody) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = s.ChangeApplication(ctx, app.TenantID, app.ObjectID, func(a *Application) error {
		i, err := federatedAt(a.Federated, r.Param("credential"))
		if err != nil {
			return err
		}
		if in.Name.Set && in.Name.Value != a.Federated[i].Name {
			return badRequest("name", "Property 'name' is read-only.")
		}
		if err := in.apply(&a.Federated[i]); err != nil {
			return err
		}
		return checkFederated(a.Federated)
	})
	return nil, err
}

func (s *Service) graphDeleteFederated(ctx context.Context, r *wire.Request) (any, error) {
	app, err := s.graphAppOf(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = s.ChangeApplication(ctx, app.TenantID, app.ObjectID, func(a *Application) error {
		i, err := federatedAt(a.Federated, r.Param("credential"))
		if err != nil {
			return err
		}
		a.Federated = slices.Delete(a.Federated, i, i+1)
		return nil
	})
	return nil, err
}
