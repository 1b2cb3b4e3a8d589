package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/bulkheadhq/bulkhead/internal/arm"
	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

func (s *Service) serverType() arm.Type {
	return arm.Type{
		Name: serverTypeName, Versions: versions(), Identity: true, OnCreate: http.StatusAccepted, OnUpdate: http.StatusAccepted,
		Put: s.putServer, Commit: commitChange, Applied: s.applied, CommitDelete: commitDelete, Render: s.renderServer,
		HostNames: func(r *arm.Resource) []arm.HostName { return []arm.HostName{{Kind: wire.HostMySQL, Name: r.Name}} },
		Actions: append(absentActions(), []arm.Action{
			{Verb: "restart", Writes: true, Handler: s.restart},
			{Verb: "performanceTiers", Method: http.MethodGet, Operation: serverTypeName + "/performanceTiers/read", Handler: showTiers},
			{Verb: "logFiles", Method: http.MethodGet, Operation: serverTypeName + "/logFiles/read", Handler: s.logFiles},
			{Verb: "recommendations", Method: http.MethodGet, Operation: serverTypeName + "/recommendations/read", Handler: s.recommendations},
			{
				Verb: "locations/{location}/performanceTiers", Method: http.MethodGet, Collection: true,
				Operation: namespace + "/locations/performanceTiers/read", Handler: showTiers,
			},
			{Verb: "checkNameAvailability", Collection: true, Operation: namespace + "/checkNameAvailability/action", Handler: s.checkName},
			{
				Verb: "locations/{location}/azureAsyncOperation/{operationId}", Method: http.MethodGet, Collection: true,
				Operation: namespace + "/locations/azureAsyncOperation/read", Handler: s.operationStatus,
			},
			{
				Verb: "locations/{location}/operationResults/{operationId}", Method: http.MethodGet, Collection: true,
				Operation: namespace + "/locations/operationResults/read", Handler: s.operationResult,
			},
		}...),
	}
}

// putServer checks what was sent, PATCH included, and settles what will be stored.
func (s *Service) putServer(_ context.Context, c *arm.Call) error {
	var sent sentProperties
	if err := c.Body.Decode("properties", &sent); err != nil {
		return err
	}
	var old *properties
	var oldSKU *sku
	if c.Old != nil {
		var err error
		if old, err = propertiesOf(c.Old); err != nil {
			return err
		}
		was, err := skuOf(c.Old)
		if err != nil {
			return err
		}
		oldSKU = &was
	} else if problem := serverName(c.ID.Name()); problem != "" {
		return fault.New(fault.Invalid, "InvalidServerName", "The server name '%s' is invalid: %s.", clip(c.ID.Name()), problem)
	}
	var k sku
	if err := c.Body.Decode("sku", &k); err != nil {
		return err
	}
	if err := k.settle(oldSKU); err != nil {
		return err
	}
	if oldSKU != nil && k.Tier != oldSKU.Tier && (k.Tier == "Basic" || oldSKU.Tier == "Basic") {
		return invalid("A server can't be changed from tier %s to %s.", oldSKU.Tier, k.Tier)
	}
	p, err := sent.settle(tierNamed(k.Tier), old)
	if err != nil {
		return err
	}
	ch := &change{}
	c.Prepared = ch
	if err := s.settleLogin(c, ch, &sent, p, old); err != nil {
		return err
	}
	kind := opChange
	if c.Old == nil {
		kind = opCreation
		if err := put(ch, serverCodec, rowKey(c.New.GUID, nounServer, ""), serverRecord{c.ID.String()}); err != nil {
			return err
		}
	}
	s.begin(c, ch, c.New, kind)
	if c.New.SKU, err = json.Marshal(k); err != nil {
		return err
	}
	c.New.Properties, err = json.Marshal(p)
	return err
}

func regionOf(location string) string {
	return strings.ToLower(strings.ReplaceAll(location, " ", ""))
}

// settleLogin settles how the server is made and who administers it.
func (s *Service) settleLogin(c *arm.Call, ch *change, sent *sentProperties, p, old *properties) error {
	mode, err := choose("createMode", sent.CreateMode, "", modeDefault, modeAttach, "PointInTimeRestore", "GeoRestore", "Replica")
	if err != nil {
		return err
	}
	if mode != modeDefault && mode != modeAttach {
		return fault.New(fault.NotImplemented, "NotImplemented", "createMode %s is not implemented: backups and replicas are not kept.", mode)
	}
	if mode == modeAttach || sent.Attach != nil || old != nil && old.Attach != nil {
		if old != nil && old.Attach == nil {
			return invalid("A server that runs here can't become an attached one.")
		}
		if sent.Attach != nil {
			p.Attach = sent.Attach
		}
		if err := p.Attach.check(); err != nil {
			return err
		}
		p.AdministratorLogin = p.Attach.Login
		return nil
	}
	if old == nil {
		if err := s.host.canRun(); err != nil {
			return err
		}
		if problem := loginName(sent.Login); problem != "" {
			return fault.New(fault.Invalid, "InvalidLoginName", "The administratorLogin '%s' is invalid: %s.", clip(sent.Login), problem)
		}
		if sent.Password == "" {
			return invalid("The property administratorLoginPassword is required.")
		}
		p.AdministratorLogin = sent.Login
	} else if sent.Login != "" && sent.Login != old.AdministratorLogin {
		return invalid("The administratorLogin can't be changed.")
	}
	if sent.Password == "" {
		return nil
	}
	if !complex(sent.Password, p.AdministratorLogin) {
		return fault.New(fault.Invalid, "PasswordNotComplex",
			"Password validation failed. The password must have 8 to 128 characters of three of these kinds: upper case, lower case, digits, others; and not contain the login.")
	}
	shard, err := shardOf(c.ID.String())
	if err != nil {
		return err
	}
	plain, err := loginCodec.Encode(loginRecord{passwordHash(sent.Password)})
	if err != nil {
		return err
	}
	key := rowKey(c.New.GUID, nounLogin, "")
	sealed, err := s.deps.Sealer.Seal(shard, key, plain)
	if err != nil {
		return fmt.Errorf("seal login of server %s: %w", c.New.GUID, err)
	}
	ch.puts = append(ch.puts, row{key, sealed})
	return nil
}

// serverName tells what is wrong with a server's name, "" for nothing.
func serverName(name string) string {
	switch {
	case len(name) < 3 || len(name) > 63:
		return "it must have 3 to 63 characters"
	case name[0] == '-' || name[len(name)-1] == '-':
		return "it must not begin or end with a dash"
	}
	for _, c := range []byte(name) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return "it may have only lower-case letters, digits and dashes"
		}
	}
	return ""
}

// loginName tells what is wrong with an administrator's name, "" for nothing.
func loginName(name string) string {
	if len(name) < 1 || len(name) > 16 {
		return "it must have 1 to 16 characters"
	}
	for _, c := range []byte(name) {
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "it may have only letters, digits and underscores"
		}
	}
	switch strings.ToLower(name) {
	case "azure_superuser", "admin", "administrator", "root", "guest", "public":
		return "it is a reserved name"
	}
	return ""
}

// complex tells whether a password is good enough.
func complex(password, login string) bool {
	if len(password) < 8 || len(password) > 128 || strings.Contains(strings.ToLower(password), strings.ToLower(login)) {
		return false
	}
	var kinds [4]int
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			kinds[0] = 1
		case unicode.IsLower(r):
			kinds[1] = 1
		case unicode.IsDigit(r):
			kinds[2] = 1
		default:
			kinds[3] = 1
		}
	}
	return kinds[0]+kinds[1]+kinds[2]+kinds[3] >= 3
}

// commitDelete removes the server's rows with the server.
func commitDelete(tx store.Tx, c *arm.Call) error {
	r := rowsOf(c.Old.GUID)
	return tx.DeleteRange(r.Start, r.End)
}

// applied makes the host follow a change.
func (s *Service) applied(ctx context.Context, c *arm.Call) error {
	if c.New == nil {
		if c.Old != nil {
			s.host.remove(c.Old.GUID)
		}
		return nil
	}
	return s.host.changed(ctx, c.New.GUID, c.New.ID)
}

// restart changes nothing that is stored; the commit is for the checks and the activity log.
func (s *Service) restart(ctx context.Context, c *arm.Call) (any, error) {
	if err := c.Commit(ctx, func(store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	if err := s.host.restart(ctx, c.Old.GUID); err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusOK}, nil
}

func showTiers(context.Context, *arm.Call) (any, error) { return tierList(), nil }

// renderServer shows a server by the way the client came in.
func (s *Service) renderServer(_ context.Context, c *arm.Call, r *arm.Resource) (json.RawMessage, error) {
	p, err := propertiesOf(r)
	if err != nil {
		return nil, err
	}
	st := s.host.status(r.GUID)
	domain, _, _ := strings.Cut(c.Hosts.Authority(c.Host, wire.HostMySQL, r.Name), ":")
	out := shownProperties{
		properties: p, State: st.visible(), Domain: domain, EarliestRestore: r.Created, ReplicationRole: "None", ReplicaCapacity: 5, OwnKeys: disabled,
		PrivateConnections: []string{}, Infrastructure: disabled,
		Local: &shownLocal{Endpoint: st.Endpoint, Engine: st.Engine, ReadOnly: st.ReadOnly, Problem: st.Problem, Held: st.Held, NotHeld: st.NotHeld},
	}
	if p.Attach == nil {
		out.Local.CA = c.URL(wire.HostMySQL, strings.ToLower(r.Name)) + caPath
	}
	return json.Marshal(out)
}

type nameAvailability struct {
	Available bool   `json:"nameAvailable"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

func (s *Service) checkName(ctx context.Context, c *arm.Call) (any, error) {
	name := c.Body.String("name")
	if t := c.Body.String("type"); t != "" && !strings.EqualFold(t, serverTypeName) {
		return nil, invalid("The property type is '%s'; it must be %s.", clip(t), serverTypeName)
	}
	if problem := serverName(name); problem != "" {
		return nameAvailability{Reason: "InvalidServerName", Message: "The server name '" + clip(name) + "' is invalid: " + problem + "."}, nil
	}
	e, err := s.deps.Names.Lookup(ctx, wire.HostMySQL, name)
	if err != nil {
		return nil, fmt.Errorf("look up server %s: %w", name, err)
	}
	if e != nil {
		return nameAvailability{Reason: "AlreadyExists", Message: "Specified server name is already used."}, nil
	}
	return nameAvailability{Available: true}, nil
}
