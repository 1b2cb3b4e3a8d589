// Package mysql makes database servers by Azure's own clients, connects to them, and kills the platform under them.
package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/mysql/armmysql"
	driver "github.com/go-sql-driver/mysql"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

var shared harness.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

const password = "Passw0rd!x"

// needMariaDB skips where no server can run.
func needMariaDB(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("mariadbd"); err == nil {
		return
	}
	if _, err := exec.LookPath("/usr/sbin/mariadbd"); err != nil {
		t.Skip("mariadbd is not installed (Debian's package mariadb-server-core)")
	}
}

// serverPath is the id of a server in the group with that id.
func serverPath(group, name string) string {
	return group + "/providers/Microsoft.DBforMySQL/servers/" + name
}

const version = "?api-version=2017-12-01"

// properties waits for a server to be ready and gives its properties.
func properties(t *testing.T, p *harness.Platform, server string) map[string]any {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		props, _ := p.ARM(t, "GET", server+version, nil)["properties"].(map[string]any)
		if props["userVisibleState"] == "Ready" {
			return props
		}
	}
	t.Fatalf("%s is not ready within 90 s", server)
	return nil
}

// open connects to a server's own port as its administrator, with TLS that the platform's root vouches for.
func open(t *testing.T, p *harness.Platform, props map[string]any, user string) *sql.DB {
	t.Helper()
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(p.Run.Root)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("root: %v", err)
	}
	own, _ := props["bulkhead"].(map[string]any)
	cfg := driver.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.Logger = user, password, "tcp", fmt.Sprint(own["endpoint"]), &driver.NopLogger{}
	cfg.TLS = &tls.Config{RootCAs: roots, ServerName: fmt.Sprint(props["fullyQualifiedDomainName"])}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestArmmysql_MakesScalesAndDeletesAServer(t *testing.T) {
	needMariaDB(t)
	p := shared.Platform(t)
	w := p.Ways(t)[0]
	env := p.Env(t, "")
	factory, err := armmysql.NewClientFactory(p.Run.SubscriptionID, w.Credential(t, env["AZURE_TENANT_ID"], env["AZURE_CLIENT_ID"], env["AZURE_CLIENT_SECRET"]), w.ARMOptions())
	if err != nil {
		t.Fatal(err)
	}
	ctx, in, name := t.Context(), p.PutGroup(t), harness.Name("go-db")
	group := path.Base(in)
	servers := factory.NewServersClient()
	poller, err := servers.BeginCreate(ctx, group, name, armmysql.ServerForCreate{
		Location: to.Ptr("westeurope"),
		SKU:      &armmysql.SKU{Name: to.Ptr("GP_Gen5_2"), Tier: to.Ptr(armmysql.SKUTierGeneralPurpose), Capacity: to.Ptr[int32](2), Family: to.Ptr("Gen5")},
		Properties: &armmysql.ServerPropertiesForDefaultCreate{
			CreateMode: to.Ptr(armmysql.CreateModeDefault), AdministratorLogin: to.Ptr("ada"), AdministratorLoginPassword: to.Ptr(password),
			StorageProfile: &armmysql.StorageProfile{StorageMB: to.Ptr[int32](6144)},
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := poller.PollUntilDone(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *made.Properties.UserVisibleState != armmysql.ServerStateReady || *made.Properties.StorageProfile.StorageMB != 6144 || *made.Properties.AdministratorLogin != "ada" {
		t.Errorf("made %+v", made.Properties)
	}
	rule, err := factory.NewFirewallRulesClient().BeginCreateOrUpdate(ctx, group, name, "here", armmysql.FirewallRule{
		Properties: &armmysql.FirewallRuleProperties{StartIPAddress: to.Ptr("127.0.0.1"), EndIPAddress: to.Ptr("127.0.0.1")},
	}, nil)
	if err == nil {
		_, err = rule.PollUntilDone(ctx, nil)
	}
	if err != nil {
		t.Fatalf("firewall rule: %v", err)
	}
	made2, err := factory.NewDatabasesClient().BeginCreateOrUpdate(ctx, group, name, "shop", armmysql.Database{Properties: &armmysql.DatabaseProperties{Charset: to.Ptr("utf8mb4")}}, nil)
	if err == nil {
		_, err = made2.PollUntilDone(ctx, nil)
	}
	if err != nil {
		t.Fatalf("database: %v", err)
	}
	set, err := factory.NewConfigurationsClient().BeginCreateOrUpdate(ctx, group, name, "wait_timeout", armmysql.Configuration{Properties: &armmysql.ConfigurationProperties{Value: to.Ptr("99")}}, nil)
	if err == nil {
		_, err = set.PollUntilDone(ctx, nil)
	}
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	db := open(t, p, properties(t, p, serverPath(in, name)), "ada@"+name)
	var wait string
	err = db.QueryRowContext(ctx, "SELECT @@global.wait_timeout FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'").Scan(&wait)
	if err != nil || wait != "99" {
		t.Errorf("wait_timeout beside the database shop = %q, %v; want 99", wait, err)
	}
	scaled, err := servers.BeginUpdate(ctx, group, name, armmysql.ServerUpdateParameters{SKU: &armmysql.SKU{Name: to.Ptr("GP_Gen5_4"), Tier: to.Ptr(armmysql.SKUTierGeneralPurpose), Capacity: to.Ptr[int32](4), Family: to.Ptr("Gen5")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := scaled.PollUntilDone(ctx, nil); err != nil || *got.SKU.Name != "GP_Gen5_4" {
		t.Errorf("scaled: %+v, %v", got.SKU, err)
	}
	if err := db.QueryRowContext(ctx, "SELECT @@global.max_connections").Scan(&wait); err != nil || wait != "635" { // 625, and the platform's own
		t.Errorf("max_connections of 4 vCores = %q, %v; want 635", wait, err)
	}
	logs := factory.NewLogFilesClient().NewListByServerPager(group, name, nil)
	page, err := logs.NextPage(ctx)
	if err != nil || len(page.Value) == 0 || !strings.HasPrefix(*page.Value[0].Name, "mysql-") {
		t.Errorf("log files: %+v, %v", page.Value, err)
	}
	tiers, err := factory.NewLocationBasedPerformanceTierClient().NewListPager("westeurope", nil).NextPage(ctx)
	if err != nil || len(tiers.Value) != 3 {
		t.Errorf("performance tiers: %+v, %v", tiers.Value, err)
	}
	gone, err := servers.BeginDelete(ctx, group, name, nil)
	if err == nil {
		_, err = gone.PollUntilDone(ctx, nil)
	}
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	if err := db.PingContext(ctx); err == nil {
		t.Error("a deleted server still answers")
	}
}

// TestKill9_LeavesNoOrphanAndAllData kills the platform while a client writes: no server outlives it, and what was acknowledged is there after the next start.
func TestKill9_LeavesNoOrphanAndAllData(t *testing.T) {
	needMariaDB(t)
	p := harness.Start(t, harness.Options{})
	group := p.PutGroup(t)
	server := serverPath(group, harness.Name("kill-db"))
	p.ARM(t, "PUT", server+version, map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "B_Gen5_1"}, "properties": map[string]any{"administratorLogin": "ada", "administratorLoginPassword": password},
	})
	p.ARM(t, "PUT", server+"/firewallRules/here"+version, map[string]any{"properties": map[string]any{"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}})
	props := properties(t, p, server)
	db := open(t, p, props, "ada")
	for _, s := range []string{"CREATE DATABASE shop", "CREATE TABLE shop.t (a INT PRIMARY KEY) ENGINE=InnoDB"} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	acknowledged := 0
	for round := range harness.Kills(t, 3) {
		wrote := make(chan int)
		go func() { // ends when the server does
			n := acknowledged
			for {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				_, err := db.ExecContext(ctx, "INSERT INTO shop.t VALUES (?)", n+1)
				cancel()
				if err != nil {
					wrote <- n
					return
				}
				n++
			}
		}()
		time.Sleep(300 * time.Millisecond) // the kill may fall anywhere
		p.Kill9(t)
		acknowledged = max(acknowledged, <-wrote)
		for end := time.Now().Add(30 * time.Second); len(orphans(p.Data)) > 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("round %d: orphans %v", round, orphans(p.Data))
			}
		}
		p.Restart(t)
		again := properties(t, p, server)
		if got, want := again["bulkhead"].(map[string]any)["endpoint"], props["bulkhead"].(map[string]any)["endpoint"]; got != want {
			t.Errorf("round %d: endpoint %v, was %v", round, got, want)
		}
		db = open(t, p, again, "ada")
		var n, highest int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*), COALESCE(MAX(a), 0) FROM shop.t").Scan(&n, &highest); err != nil {
			t.Fatal(err)
		}
		if n != highest || n < acknowledged || n > acknowledged+1 {
			t.Fatalf("round %d: %d rows up to %d, want the %d acknowledged, or one more", round, n, highest, acknowledged)
		}
		acknowledged = n
	}
	if acknowledged == 0 {
		t.Error("nothing was written")
	}
}

// orphans are the processes that still run on the folder.
func orphans(data string) []string {
	var found []string
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range entries {
		b, err := os.ReadFile(f)
		if err == nil && strings.Contains(string(b), "--datadir="+data) {
			found = append(found, filepath.Base(filepath.Dir(f)))
		}
	}
	return found
}

func TestClients_AreRefusedWithoutARule(t *testing.T) {
	needMariaDB(t)
	p := shared.Platform(t)
	server := serverPath(p.PutGroup(t), harness.Name("shut-db"))
	p.ARM(t, "PUT", server+version, map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "B_Gen5_1"}, "properties": map[string]any{"administratorLogin": "ada", "administratorLoginPassword": password},
	})
	props := properties(t, p, server)
	err := open(t, p, props, "ada").PingContext(t.Context())
	if err == nil || !strings.Contains(err.Error(), "9000") {
		t.Errorf("without a firewall rule: %v, want error 9000", err)
	}
	own, _ := props["bulkhead"].(map[string]any)
	if host, _, err := net.SplitHostPort(fmt.Sprint(own["endpoint"])); err != nil || host != "127.0.0.1" {
		t.Errorf("endpoint %v, want one on 127.0.0.1", own["endpoint"])
	}
}
