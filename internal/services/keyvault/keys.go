package keyvault

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// keyBundle is a key on the wire: its public part.
type keyBundle struct {
	Key        *jwk              `json:"key"`
	Attributes *attributes       `json:"attributes"`
	Tags       map[string]string `json:"tags,omitempty"`
	Managed    bool              `json:"managed,omitempty"`
	*recovery
}

type jwk struct {
	ID         string   `json:"kid"`
	Type       string   `json:"kty"`
	Operations []string `json:"key_ops"`
	N          string   `json:"n,omitempty"`
	E          string   `json:"e,omitempty"`
	Curve      string   `json:"crv,omitempty"`
	X          string   `json:"x,omitempty"`
	Y          string   `json:"y,omitempty"`
}

func (s *Service) keyRoutes() []wire.Route {
	list := right{keys, "list", listAction(keys)}
	op := func(policy, action string) right { return right{keys, policy, "keys/" + action} }
	routes := []wire.Route{
		s.route("GET", "/keys/{name}/{version?}", "KeyGet", right{keys, "get", "keys/read"}, s.getKey),
		s.route("GET", "/keys", "KeyList", list, s.list(keys, tagHead)),
		s.route("GET", "/keys/{name}/versions", "KeyListVersions", list, s.listVersions(keys)),
		s.refused("POST", "/keys/{name}/create", "KeyCreate", op("create", "create/action")),
		s.refused("PUT", "/keys/{name}", "KeyImport", op("import", "import/action")),
		s.refused("PATCH", "/keys/{name}/{version?}", "KeyUpdate", op("update", "update/action")),
		s.refused("DELETE", "/keys/{name}", "KeyDelete", op("delete", "delete")),
		s.refused("POST", "/keys/{name}/rotate", "KeyRotate", op("rotate", "rotate/action")),
		s.refused("POST", "/keys/{name}/backup", "KeyBackup", op("backup", "backup/action")),
		s.refused("POST", "/keys/restore", "KeyRestore", op("restore", "restore/action")),
		s.refused("GET", "/keys/{name}/rotationpolicy", "KeyGetRotationPolicy", op("getrotationpolicy", "read")),
		s.refused("PUT", "/keys/{name}/rotationpolicy", "KeyUpdateRotationPolicy", op("setrotationpolicy", "rotationpolicy/write")),
	}
	for verb, name := range map[string]string{
		"encrypt": "KeyEncrypt", "decrypt": "KeyDecrypt", "sign": "KeySign", "verify": "KeyVerify", "wrapkey": "KeyWrap", "unwrapkey": "KeyUnwrap", "release": "KeyRelease",
	} {
		action := map[string]string{"wrapkey": "wrap", "unwrapkey": "unwrap"}[verb]
		if action == "" {
			action = verb
		}
		routes = append(routes, s.refused("POST", "/keys/{name}/{version}/"+verb, name, op(verb, action+"/action")))
	}
	return append(routes, s.deletedRoutes(keys, s.keyAnswer)...)
}

func (s *Service) getKey(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	rec, err := s.object(ctx, v, keys, r.Param("name"), r.Param("version"))
	if err != nil {
		return nil, err
	}
	return s.keyAnswer(r, v, rec)
}

func (s *Service) keyAnswer(r *wire.Request, v *vault, rec *record) (any, error) {
	base := baseURL(r, v)
	k, err := publicJWK(rec)
	if err != nil {
		return nil, err
	}
	k.ID = keys.id(base, rec.Name, rec.Version)
	return &keyBundle{Key: k, Attributes: rec.attributes(v), Tags: rec.Tags, Managed: rec.Managed, recovery: rec.recovery(keys, base)}, nil
}

// publicJWK is the public part of a stored key (RFC 7518 section 6).
func publicJWK(rec *record) (*jwk, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(rec.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("stored key of version %s: %w", rec.Version, err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := parsed.(type) {
	case *rsa.PrivateKey:
		return &jwk{
			Type: "RSA", Operations: []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"},
			N: b64(k.N.Bytes()), E: b64(big.NewInt(int64(k.E)).Bytes()),
		}, nil
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes() // 4 || x || y
		if err != nil {
			return nil, fmt.Errorf("stored key of version %s: %w", rec.Version, err)
		}
		half := (len(point) - 1) / 2
		return &jwk{
			Type: "EC", Operations: []string{"sign", "verify"}, Curve: k.Curve.Params().Name, X: b64(point[1 : 1+half]), Y: b64(point[1+half:]),
		}, nil
	}
	return nil, fmt.Errorf("stored key of version %s is a %T", rec.Version, parsed)
}
