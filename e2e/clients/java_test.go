package clients

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestJava: items, batches, bulk, queries over several ranges, the change feed and scripts with azure-cosmos for Java in gateway mode. It is skipped where there is no
// Java, or scripts/clients found no Maven to fetch the client by.
func TestJava(t *testing.T) {
	p := platform(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(root, ".test", "java", "lib")
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("there is no java here")
	}
	if _, err := os.Stat(lib); err != nil {
		t.Skip("the Java client is not here: scripts/clients fetches it where there is Maven")
	}
	group := p.PutGroup(t)
	account := p.PutAccount(t, group)
	endpoint := p.SuffixWay(t).Account(account)
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	hosts := filepath.Join(t.TempDir(), "hosts") // the client takes no proxy from the environment, and names below localhost are not in every system's resolver
	if err := os.WriteFile(hosts, []byte("127.0.0.1 "+u.Hostname()+" localhost\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := client{"QuickStart.java", []string{java, "-Djdk.net.hosts.file=" + hosts, "-cp", filepath.Join(lib, "*"), "../java/QuickStart.java"}, nil}
	prints(t, p, c, `{"read":[1,true,true],"conflict":[409,0],"missing":[404,0],"stale":[412,0],"replaced":2,"upserted":201,"patched":42,
		"batch":[201,200,200,204],"batchRead":42,"failedBatch":[409,false,[424,409]],"undone":[404,0],"bulk":{"200":1,"201":300,"409":1},
		"one":["1","3"],"count":[302],"top":[299,298,297],"sum":[44850],"distinct":31,"group":["10","2"],"page":[10,11],"pages":[true,302],"many":2,
		"changes":302,"late":["late"],"ranges":3,"procedure":["\"Hello, Ada\"","asked"],"thrown":[400,4711],"deleted":204,"gone":[404,0],"databaseGone":404}`,
		[]string{"ENDPOINT=" + endpoint + "/", "KEY=" + p.Key(t, group, account, "primaryMasterKey")})
}
