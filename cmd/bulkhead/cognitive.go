package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/container"
	"github.com/bulkheadhq/bulkhead/internal/slack"
)

// containerSlack is how much garbage a container lets pile up: it has a small heap, and shall keep it.
const containerSlack = 4 << 20

func newCognitive() *cobra.Command {
	cmd := &cobra.Command{Use: "cognitive", Short: "Cognitive Services containers, and texts analyzed at the command line"}
	for _, a := range app.Containers() {
		cmd.AddCommand(newContainer(a))
	}
	cmd.AddCommand(newFace(), newAnalyze())
	return cmd
}

// newFace is the Face container, which needs weights.
func newFace() *cobra.Command {
	var o app.FaceOptions
	cmd := newContainer(app.FaceContainer(&o))
	cmd.Flags().StringVar(&o.Models, "models", os.Getenv("BULKHEAD_FACE_MODELS"), "folder of the weights, made by scripts/face-models (default "+app.FaceModels()+"; also BULKHEAD_FACE_MODELS)")
	cmd.Flags().BoolVar(&o.PrivateURLs, "private-urls", false, "let pictures be fetched from this machine and private networks, too")
	return cmd
}

// trimEvery is how often a container gives back memory it has no use for.
const trimEvery = 30 * time.Second

// trimmed runs fn and keeps the process small meanwhile.
func trimmed(ctx context.Context, fn func(context.Context) error) error {
	done, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(trimEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				slack.Trim()
			}
		}
	}()
	defer func() { close(stop); <-done }()
	return fn(ctx)
}

func newContainer(a api.API) *cobra.Command {
	var listen, cert, key string
	cmd := &cobra.Command{
		Use:   a.Name + " eula=accept apikey=KEY billing=URL [KEY=VALUE]...",
		Short: "Run the " + a.Title + " container",
		Long: "Run the " + a.Title + ` container: the API on a port of its own, offline, with a page to try it out at /swagger.

The arguments are those of Azure's container, in any case, or environment variables of the same names with __ for ":" (arguments win):

  eula=accept                              the terms are accepted; without it nothing starts
  apikey=KEY                               a key of a Cognitive Services account of the right kind; better given as the variable ApiKey,
                                           since other users of the machine can see a command line
  billing=URL                              the account's endpoint, where the number of transactions is reported to, and nothing else
  HTTP_PROXY=URL                           the proxy to reach it by
  HTTP_PROXY_CREDS=USER:PASSWORD           what the proxy asks for
  Logging:Console:LogLevel:Default=LEVEL   Trace, Debug, Information, Warning, Error, Critical or None
  Logging:Disk:Format=json                 logs to a file in the folder of Mounts:Output, too
  Logging:Disk:LogLevel:Default=LEVEL
  Logging:Disk:MaxFileSize=MB              -1 for no limit
  Mounts:Output=FOLDER                     by default /output
  Fluentd:Host=HOST Fluentd:Port=PORT      logs to a Fluentd server, too`,
		Example: `  bulkhead cognitive ` + a.Name + ` eula=accept apikey=KEY billing=https://westus.api.cognitive.microsoft.com/`,
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:5000", "address and port to listen on")
	cmd.Flags().StringVar(&cert, "tls-cert", "", "serve TLS with this certificate chain (PEM)")
	cmd.Flags().StringVar(&key, "tls-key", "", "the certificate's key (PEM)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := container.Parse(args, os.Environ())
		if err != nil {
			return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) // wrong usage
		}
		o := container.Options{API: a, Config: c, Listen: listen, Version: app.Release, Console: cmd.OutOrStdout(), Listening: func(net.Addr) { slack.Trim() }}
		if (cert == "") != (key == "") {
			return errors.New("--tls-cert and --tls-key belong together")
		}
		if cert != "" {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				return &actionError{err}
			}
			o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
		}
		defer slack.Bound(containerSlack)()
		h, err := container.New(o)
		if err == nil {
			err = trimmed(cmd.Context(), h.Run)
		}
		if err != nil {
			return &actionError{err}
		}
		return nil
	}
	return cmd
}
