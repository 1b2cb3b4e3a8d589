package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/agent/queue"
	"github.com/bulkheadhq/bulkhead/internal/app"
)

// enrolFlags say which machine this is to be, and who says so.
type enrolFlags struct {
	state, data             string
	group, name, location   string
	vm                      string
	platform, root, tokenIn string
	subscription, as        string
	replace                 bool
}

func newAgentEnrol() *cobra.Command {
	var f enrolFlags
	cmd := &cobra.Command{
		Use:   "enrol",
		Short: "Make this machine known to the platform, with a key of its own",
		Long: `Make this machine known to the platform: a machine of Microsoft.HybridCompute in a resource group or, with --vm, the virtual machine with
an id. A key pair is made in the agent's folder; only its public half leaves. Whoever enrols needs the right to write the resource.

On the platform's own host, the data folder (--data) is enough: the administrator enrols, or the application named by --as. On another,
name the platform (--platform, --ca) and give an access token for Resource Manager by a file (--token-file, - for standard input), as
az account get-access-token makes one.`,
		Example: `  bulkhead agent enrol --resource-group rg1 --name web-1
  az account get-access-token --query accessToken -o tsv | bulkhead agent enrol --resource-group rg1 --platform 10.0.0.5:8443 --ca root.pem --subscription ID --token-file -`,
		Args: cobra.NoArgs,
	}
	p := cmd.Flags()
	p.StringVar(&f.state, "state", agentState, "folder of the agent: its enrolment, its key and its queue")
	p.StringVar(&f.data, "data", defaultData(), "data folder of the platform on this host; also BULKHEAD_DATA")
	p.StringVar(&f.as, "as", "", "client id of the application that enrols, instead of the administrator; with --data")
	p.StringVar(&f.group, "resource-group", "", "resource group of the machine")
	p.StringVar(&f.name, "name", "", "the machine's name; default its host name")
	p.StringVar(&f.location, "location", "", "location of the resource; default that of the group")
	p.StringVar(&f.vm, "vm", "", "id of a virtual machine of Microsoft.Compute to enrol as")
	p.StringVar(&f.platform, "platform", "", "host:port of the platform's front door")
	p.StringVar(&f.root, "ca", "", "file with the platform's root certificate")
	p.StringVar(&f.subscription, "subscription", "", "subscription of the machine; default the platform's own")
	p.StringVar(&f.tokenIn, "token-file", "", "file with an access token for Resource Manager; - for standard input")
	p.BoolVar(&f.replace, "replace", false, "take the place of a machine of that name that is enrolled with another key")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case (f.vm == "") == (f.group == ""):
			return errors.New("name a resource group (--resource-group) or a virtual machine (--vm)")
		case f.platform != "" && (f.root == "" || f.tokenIn == "" || f.subscription == "" && f.vm == ""):
			return errors.New("with --platform, --ca, --subscription and --token-file are needed")
		}
		return action(func(cmd *cobra.Command, _ []string) error {
			id, kept, err := f.enrol(cmd.Context(), cmd.InOrStdin())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Enrolled as %s\nThe key is in %s, which nobody else may read. Start the agent: bulkhead agent --state %s\n", id, f.state, f.state)
			if !kept {
				fmt.Fprintln(cmd.OutOrStdout(), "What an earlier enrolment left unsent was removed: it belonged to another machine.")
			}
			return nil
		})(cmd, nil)
	}
	return cmd
}

// enrolling is a caller of Resource Manager.
type enrolling struct {
	http     *http.Client
	token    string
	platform string
	root     []byte
}

// connect finds the platform and a token for it.
func (f *enrolFlags) connect(ctx context.Context, stdin io.Reader) (*enrolling, error) {
	e := &enrolling{platform: f.platform}
	rootFile := f.root
	if f.platform == "" {
		abs, err := filepath.Abs(f.data)
		if err != nil {
			return nil, err
		}
		run, err := app.ReadRun(abs)
		if err != nil {
			return nil, fmt.Errorf("%w; on another host, name the platform with --platform", err)
		}
		e.platform, rootFile = run.FrontDoor, run.Root
		if f.subscription == "" {
			f.subscription = run.SubscriptionID
		}
	}
	var err error
	if e.root, err = os.ReadFile(rootFile); err != nil {
		return nil, err
	}
	if e.http, err = enrol.HTTP(e.platform, e.root); err != nil {
		return nil, fmt.Errorf("%s: %w", rootFile, err)
	}
	if f.tokenIn != "" {
		e.token, err = readToken(f.tokenIn, stdin)
		return e, err
	}
	env, err := environment(ctx, f.data, f.as)
	if err != nil {
		return nil, err
	}
	e.token, _, err = enrol.Token(ctx, e.http, "https://login.microsoftonline.com/"+url.PathEscape(env.TenantID)+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {env.ClientID}, "client_secret": {env.ClientSecret}, "scope": {"https://management.azure.com/.default"},
	})
	return e, err
}

func readToken(name string, stdin io.Reader) (string, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(io.LimitReader(stdin, 1<<20))
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return "", err
	}
	if token := strings.TrimSpace(string(b)); token != "" {
		return token, nil
	}
	return "", errors.New("there is no token in --token-file")
}

// call sends a request to Resource Manager. A resource that isn't there is found false.
func (e *enrolling) call(ctx context.Context, method, path string, in, out any) (found bool, err error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return false, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://management.azure.com"+path, body)
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.http.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return false, err
	}
	if resp.StatusCode/100 == 2 {
		if out != nil {
			err = json.Unmarshal(b, out)
		}
		return true, err
	}
	var fail struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal(b, &fail)
	if resp.StatusCode == http.StatusNotFound && fail.Error.Code == "ResourceNotFound" {
		return false, nil
	}
	return false, fmt.Errorf("%s %s: %s %s (%s)", method, strings.SplitN(path, "?", 2)[0], resp.Status, fail.Error.Message, fail.Error.Code)
}

// machine is what enrolment looks at of a resource.
type machine struct {
	ID         string `json:"id"`
	Location   string `json:"location,omitempty"`
	Properties struct {
		ClientPublicKey string `json:"clientPublicKey,omitempty"`
	} `json:"properties"`
}

const (
	hybridVersion  = "?api-version=2024-07-10"
	virtualVersion = "?api-version=2024-07-01"
)

// enrol does it. kept tells that a queue that was there belongs to the same machine and goes on.
func (f *enrolFlags) enrol(ctx context.Context, stdin io.Reader) (id string, kept bool, err error) {
	before, err := enrol.Load(f.state)
	if err != nil && !errors.Is(err, enrol.ErrNotEnrolled) {
		return "", false, err
	}
	e, err := f.connect(ctx, stdin)
	if err != nil {
		return "", false, err
	}
	defer e.http.CloseIdleConnections()
	key, err := enrol.Key(f.state)
	if err != nil {
		return "", false, err
	}
	public, err := enrol.PublicKey(key)
	if err != nil {
		return "", false, err
	}
	var there bool
	if f.vm != "" {
		id, there, err = e.virtual(ctx, f.vm, public)
	} else {
		id, there, err = e.hybrid(ctx, f, public)
	}
	if err != nil {
		return "", false, err
	}
	var identity struct {
		Properties struct{ TenantID, ClientID string }
	}
	found, err := e.call(ctx, http.MethodGet, id+"/providers/Microsoft.ManagedIdentity/identities/default?api-version=2023-01-31", nil, &identity)
	if err == nil && !found {
		err = fmt.Errorf("%s has no system-assigned identity", id)
	}
	if err != nil {
		return "", false, err
	}
	kept = before == nil || there && strings.EqualFold(before.MachineID, id)
	if !kept {
		if err := queue.Remove(enrol.QueueDir(f.state)); err != nil {
			return "", false, err
		}
	}
	now := enrol.Enrolment{MachineID: id, TenantID: identity.Properties.TenantID, ClientID: identity.Properties.ClientID, Platform: e.platform}
	return id, kept, now.Save(f.state, e.root)
}

// hybrid makes the machine, or gives it this key.
func (e *enrolling) hybrid(ctx context.Context, f *enrolFlags, public string) (id string, there bool, err error) {
	if f.name == "" {
		if f.name, err = os.Hostname(); err != nil {
			return "", false, err
		}
	}
	group := "/subscriptions/" + url.PathEscape(f.subscription) + "/resourceGroups/" + url.PathEscape(f.group)
	path := group + "/providers/Microsoft.HybridCompute/machines/" + url.PathEscape(f.name)
	identity := map[string]string{"type": "SystemAssigned"}
	properties := map[string]string{"clientPublicKey": public}
	var m machine
	if there, err = e.call(ctx, http.MethodGet, path+hybridVersion, nil, &m); err != nil {
		return "", false, err
	}
	if there {
		if have := m.Properties.ClientPublicKey; have != "" && have != public && !f.replace {
			return "", true, fmt.Errorf("the machine %s is enrolled with another key: choose another --name or, if this machine takes its place, say --replace", m.ID)
		}
		_, err = e.call(ctx, http.MethodPatch, path+hybridVersion, map[string]any{"identity": identity, "properties": properties}, &m)
		return m.ID, true, err
	}
	if f.location == "" {
		var g machine
		found, err := e.call(ctx, http.MethodGet, group+"?api-version=2021-04-01", nil, &g)
		if err == nil && !found {
			err = fmt.Errorf("there is no resource group %s", f.group)
		}
		if err != nil {
			return "", false, err
		}
		f.location = g.Location
	}
	properties["osType"] = "linux"
	_, err = e.call(ctx, http.MethodPut, path+hybridVersion, map[string]any{"location": f.location, "identity": identity, "properties": properties}, &m)
	return m.ID, false, err
}

// virtual gives a virtual machine that is registered this key.
func (e *enrolling) virtual(ctx context.Context, id, public string) (string, bool, error) {
	var m machine
	found, err := e.call(ctx, http.MethodPatch, id+virtualVersion, map[string]any{"identity": map[string]string{"type": "SystemAssigned"}}, &m)
	if err == nil && !found {
		err = fmt.Errorf("there is no virtual machine %s: register it first (PUT of its id, with its location)", id)
	}
	if err != nil {
		return "", false, err
	}
	_, err = e.call(ctx, http.MethodPost, m.ID+"/enrolAgent"+virtualVersion, map[string]string{"publicKey": public}, nil)
	return m.ID, true, err
}
