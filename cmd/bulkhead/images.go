package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/ociimage"
)

func newImages() *cobra.Command {
	var output, parts, roots string
	cmd := &cobra.Command{
		Use:   "images [NAME...]",
		Short: "Write container images of the Cognitive Services containers, without a container engine",
		Long: `Writes the images of the Cognitive Services containers, each as a file that docker load and podman load take, and all as one OCI layout.

They hold this program, so that it has to be one for Linux. The images face and recognize-text need what scripts/image lays into --parts; make image does it all.`,
		Example: "  bulkhead images --output images language\n  docker load --input images/language.tar",
		RunE: func(cmd *cobra.Command, names []string) error {
			all := app.ImageNames()
			if len(names) > 0 {
				all = all[:0]
				for _, n := range names {
					all = append(all, "azure-cognitive-services/"+strings.TrimPrefix(n, "azure-cognitive-services/"))
				}
			}
			l, err := ociimage.OpenLayout(filepath.Join(output, "layout"))
			if err != nil {
				return err
			}
			for _, name := range all {
				file, err := writeImage(l, name, output, parts, roots)
				if err != nil {
					return fmt.Errorf("image %s: %w", name, err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "mcr.microsoft.com/%s in %s\n", name, file)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&output, "output", "images", "folder they are written to")
	cmd.Flags().StringVar(&parts, "parts", "images", "folder of what images hold besides the program")
	cmd.Flags().StringVar(&roots, "roots", "/etc/ssl/certs/ca-certificates.crt", "certificates that programs in the images trust (PEM)")
	return cmd
}

func writeImage(l *ociimage.Layout, name, output, parts, roots string) (string, error) {
	spec, err := app.Image(name, parts, roots)
	if err != nil {
		return "", err
	}
	img, err := ociimage.Build(spec)
	if err != nil {
		return "", err
	}
	if err := l.Put(name+":latest", img); err != nil {
		return "", err
	}
	file := filepath.Join(output, filepath.Base(name)+".tar")
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	err = l.Archive(f, name+":latest")
	if e := f.Close(); err == nil {
		err = e
	}
	return file, err
}
