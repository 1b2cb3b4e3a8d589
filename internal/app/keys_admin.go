package app

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/seal"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// keyService has the operator's routes to the keys that data is encrypted with: on the admin socket alone.
func (p *Platform) keyService() wire.Service {
	route := func(pattern, op string, h wire.Handler) wire.Route {
		return wire.Route{Host: wire.HostAdmin, Method: "POST", Pattern: pattern, Operation: op, Auth: wire.Anonymous, Handler: h, Quiet: true}
	}
	return wire.Service{Name: "keys", Routes: []wire.Route{
		route("/master-key/rotate", "RotateMasterKey", p.rotateMasterKey),
		route("/store-key/rotate", "RotateStoreKey", p.rotateStoreKey),
	}}
}

// MasterRotation is the body of POST /master-key/rotate: either a key file that gets a new key, or a passphrase.
type MasterRotation struct {
	File       string `json:"file,omitempty"`       // "": the present one
	Passphrase []byte `json:"passphrase,omitempty"` // in base64
}

// keyAnswer says what a rotation did. Pending: the old master goes on opening the data until a start was made with the new one.
type keyAnswer struct {
	MasterKey string `json:"masterKey,omitempty"` // file, or "passphrase"
	StoreKey  string `json:"storeKeyId,omitempty"`
	Pending   bool   `json:"pending"`
	Note      string `json:"note"`
}

func (p *Platform) rotateMasterKey(_ context.Context, r *wire.Request) (any, error) {
	var in MasterRotation
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if in.Passphrase != nil {
		next, err := seal.Passphrase(in.Passphrase)
		if err != nil {
			return nil, fault.New(fault.Invalid, "InvalidPassphrase", "%v.", err)
		}
		if err := p.keys.ring.Rotate(next); err != nil {
			return nil, err
		}
		return keyAnswer{MasterKey: "passphrase", Pending: true, Note: "Start with --master-key passphrase-file:PATH or passphrase-fd:N; from then on the old master key opens nothing."}, nil
	}
	file := in.File
	if file == "" {
		file = p.keys.file
	}
	if file == "" || !filepath.IsAbs(file) {
		return nil, fault.New(fault.Invalid, "NoKeyFile", "The master key is not in a file: say where the new one shall come from, as in --to file:/PATH or --to passphrase-file:PATH.")
	}
	if file != p.keys.file && seal.Exists(file) {
		return nil, fault.New(fault.Conflict, "FileExists", "%s is there already, and is not the present master key file.", file)
	}
	if err := p.keys.ring.RotateFile(file); err != nil {
		return nil, err
	}
	return keyAnswer{MasterKey: file, Note: "The file holds the new master key. The old one opens nothing from now on, but with a copy of the old keyring it still would."}, nil
}

func (p *Platform) rotateStoreKey(context.Context, *wire.Request) (any, error) {
	if !p.keys.encrypted() {
		return nil, fault.New(fault.Conflict, "StoreNotEncrypted", "The store's files are not encrypted. Stop the platform and run bulkhead encrypt.")
	}
	key, err := p.keys.ring.AddStoreKey()
	if err == nil {
		err = p.keys.data.Use(key)
	}
	if err != nil {
		return nil, errors.Join(errors.New("rotate store key"), err)
	}
	return keyAnswer{StoreKey: p.keys.data.ActiveID(), Note: "New files are encrypted with it; each older file keeps its key until compaction rewrites it."}, nil
}
