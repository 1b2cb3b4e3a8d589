package keyvault

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/store"
	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// States of a certificate operation.
const (
	statusInProgress = "inProgress"
	statusCompleted  = "completed"
	statusCancelled  = "cancelled"
	statusFailed     = "failed"
)

// operationBundle is a certificate's last operation on the wire.
type operationBundle struct {
	ID        string          `json:"id"`
	Issuer    issuerRef       `json:"issuer"`
	CSR       []byte          `json:"csr"`
	Cancelled bool            `json:"cancellation_requested"`
	Status    string          `json:"status"`
	Details   string          `json:"status_details,omitempty"`
	Error     *operationError `json:"error,omitempty"`
	Target    string          `json:"target,omitempty"`
	RequestID string          `json:"request_id"`
}

type operationError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (s *Service) pendingRoutes() []wire.Route {
	of := func(policy, action string) right { return right{certificates, policy, "certificates/" + action} }
	const path = "/certificates/{name}/pending"
	return []wire.Route{
		s.route("GET", path, "CertificatePendingGet", of("get", "read"), s.getPending),
		s.route("PATCH", path, "CertificatePendingUpdate", of("update", "update/action"), s.cancelPending),
		s.route("DELETE", path, "CertificatePendingDelete", of("delete", "delete"), s.deletePending),
		s.route("POST", path+"/merge", "CertificatePendingMerge", of("create", "create/action"), s.mergePending),
	}
}

func pendingNotFound(name string) *fault.Error {
	return fault.New(fault.NotFound, "PendingCertificateNotFound", "Pending certificate not found: %s", name)
}

func pendingKey(mac []byte) []byte { return key(tagPending, certificates.tag, mac) }

func (s *Service) operationRow(v *vault, mac []byte, op *operation) (sealed, error) {
	return sealRow(s, v.shard, pendingKey(mac), operationCodec, *op)
}

// beginCertificate starts an operation that Bulkhead cannot end by itself.
func (s *Service) beginCertificate(ctx context.Context, r *wire.Request, v *vault, name string, head *loaded, p *policy, in *certificateInput) (any, error) {
	op := &operation{Name: name, RequestID: ids.Version(), Status: statusInProgress, Issuer: *p.Issuer, TargetName: name}
	if p.Issuer.Name != issuerUnknown {
		is, err := s.issuer(ctx, v, p.Issuer.Name)
		if err != nil {
			return nil, err
		}
		if is == nil {
			return nil, badParameter("Issuer '%s' is not known to this vault; use '%s' or '%s', or set the issuer first.", clip(p.Issuer.Name), issuerSelf, issuerUnknown)
		}
		op.Status, op.Failure = statusFailed, "The certificate provider '"+is.Provider+"' of the issuer '"+is.Name+"' cannot be reached: Bulkhead requests no certificates from authorities."
	}
	// What the merge will set is checked now.
	probe := s.newRecord(name, newVersion())
	if err := probe.change(in.enabled(), in.Tags, nil); err != nil {
		return nil, err
	}
	signer, err := s.certificateKey(ctx, v, head, p)
	if err != nil {
		return nil, err
	}
	if op.CSR, err = signingRequest(p, signer); err != nil {
		return nil, err
	}
	if op.Status == statusInProgress {
		if op.PrivateKey, err = x509.MarshalPKCS8PrivateKey(signer); err != nil {
			return nil, fmt.Errorf("encode key: %w", err)
		}
		op.Policy, op.Tags = p, probe.Tags
		if a := in.enabled(); a != nil {
			op.Enabled = a.Enabled
		}
	}
	mac := s.mac(v, name)
	row, err := s.operationRow(v, mac, op)
	if err != nil {
		return nil, err
	}
	err = retry(func() error {
		was, raw, err := s.operation(ctx, v, mac)
		if err != nil {
			return err
		}
		if was != nil && was.Status == statusInProgress {
			return conflict("PendingCertificateOperationInProgress", "There is a certificate operation for %s in progress. Merge, cancel or delete it first.", name)
		}
		return s.commit(ctx, r, v, http.StatusAccepted, func(tx store.Tx) error {
			if err := nameFree(tx, mac, name); err != nil {
				return err
			}
			if err := unchanged(tx, row.key, raw); err != nil {
				return err
			}
			return putAll(tx, []sealed{row})
		})
	})
	if err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusAccepted, Body: operationOf(r, v, op)}, nil
}

func (s *Service) operation(ctx context.Context, v *vault, mac []byte) (*operation, []byte, error) {
	return loadSealed(ctx, s, v.shard, pendingKey(mac), operationCodec)
}

// pending loads the last operation of a certificate that is not deleted, and the bytes it was read as.
func (s *Service) pending(ctx context.Context, v *vault, name string) (*operation, []byte, error) {
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	mac := s.mac(v, name)
	op, raw, err := s.operation(ctx, v, mac)
	if err != nil {
		return nil, nil, err
	}
	gone := op == nil
	if !gone {
		err = s.deps.Store.View(ctx, v.shard, func(sn store.Snapshot) (err error) {
			gone, err = exists(sn, key(tagDeleted, certificates.tag, mac))
			return err
		})
	}
	if err == nil && gone {
		err = pendingNotFound(name)
	}
	return op, raw, err
}

func operationOf(r *wire.Request, v *vault, op *operation) *operationBundle {
	base := baseURL(r, v)
	b := &operationBundle{
		ID: certificates.id(base, op.Name, "pending"), Issuer: op.Issuer, CSR: op.CSR, Cancelled: op.Cancelled, Status: op.Status, RequestID: op.RequestID,
	}
	switch op.Status {
	case statusCompleted:
		b.Target = certificates.id(base, op.TargetName, "")
	case statusInProgress:
		b.Details = "Pending certificate created. Please Perform Merge to complete the request."
	case statusFailed:
		b.Error = &operationError{"CertificateProviderNotAvailable", op.Failure}
	}
	return b
}

func (s *Service) getPending(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	op, _, err := s.pending(ctx, v, r.Param("name"))
	if err != nil {
		return nil, err
	}
	return operationOf(r, v, op), nil
}

// changePending replaces a certificate's operation by what change makes of it, or removes it if change says so.
func (s *Service) changePending(ctx context.Context, r *wire.Request, v *vault, change func(op *operation) (remove bool, err error)) (*operation, error) {
	var op *operation
	err := retry(func() error {
		var raw []byte
		var err error
		if op, raw, err = s.pending(ctx, v, r.Param("name")); err != nil {
			return err
		}
		remove, err := change(op)
		if err != nil {
			return err
		}
		row, err := s.operationRow(v, s.mac(v, op.Name), op)
		if err != nil {
			return err
		}
		return s.commit(ctx, r, v, http.StatusOK, func(tx store.Tx) error {
			if err := unchanged(tx, row.key, raw); err != nil {
				return err
			}
			if remove {
				return tx.Delete(row.key)
			}
			return putAll(tx, []sealed{row})
		})
	})
	return op, err
}

func (s *Service) deletePending(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	op, err := s.changePending(ctx, r, v, func(*operation) (bool, error) { return true, nil })
	if err != nil {
		return nil, err
	}
	return operationOf(r, v, op), nil
}

func (s *Service) cancelPending(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	var in struct {
		Cancel bool `json:"cancellation_requested"`
	}
	if err := wire.Bind(r, &in); err != nil {
		return nil, err
	}
	if !in.Cancel {
		return nil, badParameter("Property cancellation_requested has invalid value: only true can be asked for.")
	}
	op, err := s.changePending(ctx, r, v, func(op *operation) (bool, error) {
		if op.Status != statusInProgress {
			return false, conflict("", "The certificate operation is %s and cannot be cancelled.", op.Status)
		}
		op.Status, op.Cancelled, op.PrivateKey = statusCancelled, true, nil
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return operationOf(r, v, op), nil
}

const maxChain = 20

// mergePending ends an operation with the certificate that an authority made of its signing request.
func (s *Service) mergePending(ctx context.Context, r *wire.Request, v *vault) (any, error) {
	name, in, err := readCertificate(r)
	if err != nil {
		return nil, err
	}
	certs, err := parseChain(in.X5C)
	if err != nil {
		return nil, err
	}
	var rec *record
	err = retry(func() error {
		op, raw, err := s.pending(ctx, v, name)
		if err != nil {
			return err
		}
		if op.Status != statusInProgress {
			return conflict("", "The certificate operation is %s; there is nothing to merge with.", op.Status)
		}
		cert, rows, err := s.merged(v, op, certs, in)
		if err != nil {
			return err
		}
		rec = cert
		mac := s.mac(v, op.Name)
		return s.commit(ctx, r, v, http.StatusCreated, func(tx store.Tx) error {
			if err := nameFree(tx, mac, op.Name); err != nil {
				return err
			}
			if err := unchanged(tx, pendingKey(mac), raw); err != nil {
				return err
			}
			return putAll(tx, rows)
		})
	})
	if err != nil {
		return nil, err
	}
	return wire.Reply{Status: http.StatusCreated, Body: certificateOf(r, v, rec)}, nil
}

// parseChain reads the certificates of a merge.
func parseChain(x5c [][]byte) ([]*x509.Certificate, error) {
	if len(x5c) == 0 || len(x5c) > maxChain {
		return nil, badParameter("Property x5c has invalid value: it must have from 1 to %d certificates.", maxChain)
	}
	certs := make([]*x509.Certificate, 0, len(x5c))
	for i, der := range x5c {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, badParameter("Property x5c has invalid value: certificate %d is no X.509 certificate in DER form.", i+1)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// merged makes the rows of the version that op and the certificates are together.
func (s *Service) merged(v *vault, op *operation, certs []*x509.Certificate, in *certificateInput) (*record, []sealed, error) {
	signer, err := parseKey(op.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("stored key of an operation: %w", err)
	}
	m, err := matched(signer, certs)
	if err != nil {
		return nil, nil, badParameter("The public key of the end-entity certificate in the specified X.509 certificate content does not match the public part of the specified private key. " +
			"Please check if certificate is valid.")
	}
	m.issued = true
	all := *in
	if all.Tags == nil {
		all.Tags = &op.Tags
	}
	if all.enabled() == nil && op.Enabled != nil {
		all.Attributes = &attributes{Enabled: op.Enabled}
	}
	p := *op.Policy
	cert, rows, err := s.certificateRows(v, op.Name, m, &p, &all)
	if err != nil {
		return nil, nil, err
	}
	done := *op
	done.Status, done.PrivateKey, done.Policy, done.Tags, done.Enabled = statusCompleted, nil, nil, nil, nil
	row, err := s.operationRow(v, s.mac(v, op.Name), &done)
	return cert, append(rows, row), err
}
