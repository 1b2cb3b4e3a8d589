package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/app"
	"github.com/bulkheadhq/bulkhead/internal/backup"
	"github.com/spf13/cobra"
)

func newBackup() *cobra.Command {
	var withKey bool
	cmd := &cobra.Command{
		Use:   "backup FILE|DIR",
		Short: "Write a backup of everything, while the platform runs or not",
		Long: `Write a backup: every service's data as of one moment, the certificate authority, sites' packages and files.

In a folder the file is named by the time. The backup is encrypted with the data folder's key ring, which is in it and which
the master key opens (master.key in the data folder, or a passphrase): keep a copy of that in another place. With --with-key
the backup holds the master key itself, and is as secret as the key. A backup that was cut off leaves no file behind.`,
		Args: cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().BoolVar(&withKey, "with-key", false, "put the master key into the backup, in clear")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		a, err := openExisting(cmd.Context(), *data)
		if err != nil {
			return err
		}
		defer a.close()
		out, err := backupTo(args[0], func(w io.Writer) error { return a.backup(cmd.Context(), w, withKey) })
		if err != nil {
			return err
		}
		return printJSON(cmd, out)
	})
	return cmd
}

// openExisting is openAdmin for a data folder that must be there already.
func openExisting(ctx context.Context, data string) (*admin, error) {
	if _, err := os.Stat(filepath.Join(data, "store")); err != nil {
		return nil, fmt.Errorf("%s is no data folder: %w", data, err)
	}
	return openAdmin(ctx, data, false)
}

// backup writes one to w.
func (a *admin) backup(ctx context.Context, w io.Writer, withKey bool) error {
	if a.here != nil {
		_, err := a.here.Backup(ctx, w, withKey)
		return err
	}
	return a.stream(ctx, fmt.Sprintf("/backup?withKey=%t", withKey), w)
}

// stream copies what the running platform answers. An answer that was cut off is an error.
func (a *admin) stream(ctx context.Context, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin"+path, nil)
	if err != nil {
		return err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return a.call(ctx, http.MethodGet, path, nil, nil) // which tells why
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

// written is what `bulkhead backup` prints.
type written struct {
	File    string    `json:"file"`
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"`
	Created time.Time `json:"created"`
	KeyID   string    `json:"keyId"` // of the sealing key, in the key ring
	HasKey  bool      `json:"hasKey"`
}

// backupTo has fill write a backup into target (a folder, or the file itself), whole or not at all.
func backupTo(target string, fill func(io.Writer) error) (out written, err error) {
	if info, serr := os.Stat(target); serr == nil && info.IsDir() {
		target = filepath.Join(target, "bulkhead-"+time.Now().UTC().Format("20060102T150405Z")+".backup")
	}
	if _, serr := os.Lstat(target); serr == nil {
		return out, fmt.Errorf("%s is there already", target)
	}
	tmp := target + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(tmp))
		}
	}()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(f, sum), 256<<10)
	ferr := fill(buffered)
	if err := buffered.Flush(); err != nil {
		return out, errors.Join(ferr, err)
	}
	// What the platform sent is looked at, not only whether the connection ended well; a writer that gave up says why in the file.
	if out, err = examine(f); err != nil {
		return out, errors.Join(ferr, err)
	}
	if ferr != nil {
		return out, ferr
	}
	if err := f.Sync(); err != nil {
		return out, err
	}
	if err := f.Close(); err != nil {
		return out, err
	}
	if err := os.Rename(tmp, target); err != nil {
		return out, err
	}
	out.File, out.SHA256 = target, hex.EncodeToString(sum.Sum(nil))
	return out, app.SyncDir(filepath.Dir(target))
}

func examine(f *os.File) (out written, err error) {
	if out.Bytes, err = f.Seek(0, io.SeekStart); err != nil {
		return out, err
	}
	r, err := backup.NewReader(f)
	if err != nil {
		return out, err
	}
	if err := r.Whole(); err != nil {
		return out, err
	}
	out.Created, out.KeyID, out.HasKey = r.Header.Created, r.Header.KeyID, len(r.Header.MasterKey) > 0
	out.Bytes, err = f.Seek(0, io.SeekEnd)
	return out, err
}

func newRestore() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "restore FILE --data NEWDIR",
		Short: "Make a data folder of a backup",
		Long: `Make a data folder of a backup. The folder must be new or empty. The master key is given by --key,
unless the backup holds it; it is the one of the time of the backup. A restore that was cut off leaves a folder no platform starts on.`,
		Example: `  bulkhead restore bulkhead-20300102T030405Z.backup --key /safe/master.key --data /srv/bulkhead`,
		Args:    cobra.ExactArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&key, "key", "", "file with the master key, or passphrase-file:PATH, passphrase-fd:N, credential")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		cfg := app.Defaults()
		cfg.Data = *data
		if err := cfg.Check(); err != nil {
			return err
		}
		sum, err := app.Restore(cmd.Context(), f, cfg, key)
		if err != nil {
			return err
		}
		return printJSON(cmd, struct {
			Data string `json:"data"`
			backup.Summary
		}{cfg.Data, sum})
	})
	return cmd
}

func newVerify() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Read a backup, or the whole data folder, and check everything in it",
		Long: `Read a backup (FILE), or the data folder, and check it: that the store's files are whole, each shard and record decodes,
each sealed record opens with the master key, each site's package is there. A running platform goes on meanwhile.
The key for a backup is given by --key, or is in the backup, or in the data folder.`,
		Args: cobra.MaximumNArgs(1),
	}
	data := addDataFlag(cmd.Flags())
	cmd.Flags().StringVar(&key, "key", "", "file with the master key of a backup, or passphrase-file:PATH, passphrase-fd:N, credential")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		var report app.Report
		var err error
		if len(args) == 1 {
			report, err = verifyFile(args[0], key, *data)
		} else {
			report, err = verifyData(cmd.Context(), *data)
		}
		if err != nil {
			return err
		}
		if err := printJSON(cmd, report); err != nil {
			return err
		}
		if n := uint64(len(report.Problems)) + report.More; n > 0 {
			return fmt.Errorf("%d problems were found", n)
		}
		return nil
	})
	return cmd
}

func verifyFile(name, key, data string) (app.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return app.Report{}, err
	}
	defer f.Close()
	report, _, err := app.VerifyBackup(f, key, data)
	return report, err
}

func verifyData(ctx context.Context, data string) (report app.Report, err error) {
	a, err := openExisting(ctx, data)
	if err != nil {
		return report, err
	}
	defer a.close()
	if a.here != nil {
		return a.here.Verify(ctx)
	}
	err = a.call(ctx, http.MethodGet, "/verify", nil, &report)
	return report, err
}

func newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "List every record as JSON lines: its shard, key, form and size, never its value",
		Args:  cobra.NoArgs,
	}
	data := addDataFlag(cmd.Flags())
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		a, err := openExisting(cmd.Context(), *data)
		if err != nil {
			return err
		}
		defer a.close()
		out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
		if a.here != nil {
			err = a.here.ExportKeys(cmd.Context(), out)
		} else {
			err = a.stream(cmd.Context(), "/export", out)
		}
		return errors.Join(err, out.Flush())
	})
	return cmd
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
