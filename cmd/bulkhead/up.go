package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/app/notify"
	"github.com/bulkheadhq/bulkhead/internal/slack"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addDataFlag gives cmd the flag every command shares.
func addDataFlag(f *pflag.FlagSet) *string {
	return f.String("data", defaultData(), "data folder; also BULKHEAD_DATA")
}

func defaultData() string {
	if v := os.Getenv("BULKHEAD_DATA"); v != "" {
		return v
	}
	return app.Defaults().Data
}

func newUp() *cobra.Command {
	cfg := app.Defaults()
	var file string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the platform and serve until SIGTERM",
		Long: `Start the platform and serve until SIGTERM.

Each flag may also be given as BULKHEAD_NAME (BULKHEAD_LISTEN) or in the YAML file that --config names; a flag
beats the environment, the environment beats the file. Port 0 picks a free port. When everything answers, one
line is printed ("ready ...") and DIR/run.json says the same.`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.AddFlagSet(upFlags(&cfg, &file))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := settle(&cfg, f, file); err != nil {
			return err
		}
		var level slog.Level
		_ = level.UnmarshalText([]byte(cfg.LogLevel)) // settle has checked it
		cfg.Level = new(slog.LevelVar)
		cfg.Level.Set(level)
		log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: cfg.Level}))
		defer tuneCollector()()
		return action(func(cmd *cobra.Command, _ []string) error {
			manager := notify.FromEnvironment()
			tell := func(err error) {
				if err != nil {
					log.Warn("the service manager was not told", "error", err)
				}
			}
			defer context.AfterFunc(cmd.Context(), func() { tell(manager.Stopping()) })()
			return app.Up(cmd.Context(), cfg, log, func(r app.Run, first *app.FirstStart) {
				announce(cmd, cfg, r, first)
				tell(manager.Ready("front door on " + r.FrontDoor + ", proxy on " + r.Proxy))
			})
		})(cmd, nil)
	}
	return cmd
}

// tuneCollector lets the heap grow further between collections than Go does by itself while it is small, and less far once caches have filled it: see package
// slack. GOGC in the environment wins.
func tuneCollector() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	return slack.Bound(slack.Platform)
}

// upFlags are the flags of up: the configuration's, and the name of its file.
func upFlags(cfg *app.Config, file *string) *pflag.FlagSet {
	f := pflag.NewFlagSet("up", pflag.ContinueOnError)
	f.StringVar(&cfg.Data, "data", cfg.Data, "data folder")
	f.StringVar(&cfg.Listen, "listen", cfg.Listen, "front door: HTTPS for every service")
	f.StringVar(&cfg.Proxy, "proxy", cfg.Proxy, "CONNECT proxy for clients that use Azure's own host names")
	f.StringVar(&cfg.Identity, "identity", cfg.Identity, "plain HTTP: managed identity endpoint and health")
	f.StringVar(&cfg.Suffix, "suffix", cfg.Suffix, "own host name suffix, as in kv1.vault.SUFFIX")
	f.BoolVar(&cfg.PassThrough, "pass-through", cfg.PassThrough, "let the proxy pass other hosts through instead of refusing them")
	f.StringSliceVar(&cfg.PackageRoots, "package-root", cfg.PackageRoots, "folder that WEBSITE_RUN_FROM_PACKAGE may point into; may be repeated")
	f.BoolVar(&cfg.PasswordGrant, "password-grant", cfg.PasswordGrant, "let clients send users' passwords to the token endpoint (ROPC)")
	f.StringSliceVar(&cfg.FederatedIssuers, "federated-issuer", cfg.FederatedIssuers,
		"issuer whose keys may be fetched for federated credentials, as its tokens spell it; may be repeated")
	f.StringVar(&cfg.CosmosThrottling, "cosmos-throttling", cfg.CosmosThrottling, "how Cosmos DB enforces throughput where an account's tag bulkhead-throttling says nothing: burst, strict or off")
	f.IntVar(&cfg.CosmosRange, "cosmos-range-mb", cfg.CosmosRange, "megabytes that a partition key range of a Cosmos DB container holds before it is split")
	f.IntVar(&cfg.CosmosPartition, "cosmos-partition-mb", cfg.CosmosPartition, "megabytes that a logical partition of a Cosmos DB container holds")
	f.StringVar(&cfg.CosmosEmulator, "cosmos-emulator", cfg.CosmosEmulator,
		"serve the Cosmos DB emulator's account and well-known key at https://localhost:8081, or at another loopback address: --cosmos-emulator=IP:PORT[,IP:PORT]")
	f.Lookup("cosmos-emulator").NoOptDefVal = app.DefaultCosmosEmulator
	f.StringSliceVar(&cfg.SecurityRules, "security-rules", cfg.SecurityRules, "folder of Sigma rules to ask of what machines report, read anew when it changes; may be repeated")
	f.StringVar(&cfg.Countries, "countries", cfg.Countries, "file of lines NETWORK,COUNTRY, or database in MaxMind's format, to tell where sign-ins come from")
	f.StringVar(&cfg.Honeypot, "honeypot", cfg.Honeypot, "run a honeypot that speaks SSH at 127.0.0.1:2222, or elsewhere: --honeypot=ADDRESS:PORT. What is learned from it feeds detection")
	f.Lookup("honeypot").NoOptDefVal = app.DefaultHoneypot
	f.StringVar(&cfg.HoneypotTelnet, "honeypot-telnet", cfg.HoneypotTelnet, "where the honeypot speaks telnet")
	f.StringVar(&cfg.HoneypotAccept, "honeypot-accept", cfg.HoneypotAccept, "file of user:password pairs that the honeypot lets in, * for any; default passwords that things are shipped with")
	f.IntVar(&cfg.HoneypotOneIn, "honeypot-one-in", cfg.HoneypotOneIn, "let one in so many other pairs in, always the same for a source")
	f.StringVar(&cfg.HoneypotMachines, "honeypot-machines", cfg.HoneypotMachines, "ADDRESS=RESOURCEID,...: machines of yours by the address the honeypot sees, where the platform does not know it")
	f.StringVar(&cfg.SMTP, "smtp", cfg.SMTP, "mail server that alerts are sent through, HOST:PORT")
	f.StringVar(&cfg.MailFrom, "mail-from", cfg.MailFrom, "address that mail of alerts is from")
	f.StringVar(&cfg.AlertPrograms, "alert-programs", cfg.AlertPrograms, "folder of programs that webhook receivers of action groups may name as exec:NAME; none is run without")
	f.StringVar(&cfg.FaceModels, "face-models", cfg.FaceModels, "folder of the Face API's weights, made by scripts/face-models; ~/.local/share/bulkhead/face")
	f.BoolVar(&cfg.PicturesPrivate, "private-picture-urls", cfg.PicturesPrivate, "let Cognitive Services fetch pictures from this machine and private networks, too")
	f.StringVar(&cfg.LogLevel, "log-level", cfg.LogLevel, "debug, info, warn or error")
	f.StringVar(&cfg.MasterKey, "master-key", cfg.MasterKey, "where the master key comes from: file, file:PATH, credential (systemd), passphrase-file:PATH or passphrase-fd:N")
	f.StringVar(file, "config", os.Getenv("BULKHEAD_CONFIG"), "YAML file with the same names")
	return f
}

// settle applies file and environment below the flags that were given.
func settle(cfg *app.Config, f *pflag.FlagSet, file string) error {
	given := map[string]func() error{} // what gives it back its value
	f.Visit(func(fl *pflag.Flag) {
		if list, ok := fl.Value.(pflag.SliceValue); ok { // setting a list again would add to it
			had := slices.Clone(list.GetSlice())
			given[fl.Name] = func() error { return list.Replace(had) }
			return
		}
		had := fl.Value.String()
		given[fl.Name] = func() error { return fl.Value.Set(had) }
	})
	if file != "" {
		if err := cfg.LoadFile(file); err != nil {
			return err
		}
	}
	var err error
	f.VisitAll(func(fl *pflag.Flag) {
		name := "BULKHEAD_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		v, ok := os.LookupEnv(name)
		if _, flag := given[fl.Name]; !flag && ok && fl.Name != "config" && err == nil {
			if e := fl.Value.Set(v); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	})
	if err != nil {
		return err
	}
	for _, again := range given {
		if err := again(); err != nil {
			return err
		}
	}
	return cfg.Check()
}

func announce(cmd *cobra.Command, cfg app.Config, r app.Run, first *app.FirstStart) {
	out := cmd.OutOrStdout()
	if first != nil {
		fmt.Fprintf(out, "First start: made tenant %s (%s), subscription %s and the administrator application %s.\n",
			r.TenantID, first.Domain, r.SubscriptionID, r.AdminAppID)
		fmt.Fprintf(out, "Sign in with:  bulkhead exec --data %s -- CMD   or   eval \"$(bulkhead env --data %s)\"\n", cfg.Data, cfg.Data)
	}
	emulator := ""
	if r.CosmosEmulator != "" {
		emulator = " cosmos-emulator=" + r.CosmosEmulator
	}
	if r.Honeypot != "" {
		emulator += " honeypot=" + r.Honeypot
	}
	fmt.Fprintf(out, "ready front-door=https://%s proxy=http://%s identity=http://%s suffix=%s admin=%s data=%s%s\n",
		r.FrontDoor, r.Proxy, r.Identity, r.Suffix, r.Admin, cfg.Data, emulator)
}
