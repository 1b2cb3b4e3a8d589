package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// serveSigner is the peer of what is measured: the least a server of the standard library can do over HTTPS. A POST answers a signed RS256 token, a GET an item's
// text of 1 KB with as many headers as a real answer has. It says "addr certificate-file" and ends with its standard input.
func serveSigner(in io.Reader, out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	cert, der, err := selfSigned()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "signer*.pem")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := pem.Encode(file, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	item := document("bare")
	s := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodGet {
				for i := range 16 {
					w.Header().Set("X-Ms-Bench-"+string(rune('A'+i)), "1234567890")
				}
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", strconv.Itoa(len(item)))
				_, _ = io.WriteString(w, item)
				return
			}
			token, err := sign(key)
			if err != nil {
				http.Error(w, "sign", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, token)
		}),
	}
	fmt.Fprintln(out, l.Addr().String(), file.Name())
	go func() {
		_, _ = io.Copy(io.Discard, in)
		s.Close()
	}()
	if err := s.ServeTLS(l, "", ""); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// sign makes a token of about the size of Entra ID's.
func sign(key *rsa.PrivateKey) (string, error) {
	now := time.Now().Unix()
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256","kid":"x"}`))
	body := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"aud":"https://vault.azure.net","iat":%d,"exp":%d,"pad":%q}`, now, now+3600, strings.Repeat("x", 600)))
	sum := sha256.Sum256([]byte(head + "." + body))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return head + "." + body + "." + base64.RawURLEncoding.EncodeToString(sig), err
}

func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, der, err
}

// signer is the running peer.
type signer struct {
	cmd        *exec.Cmd
	in         io.Closer
	addr, root string
}

func startSigner(ctx context.Context) (*signer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &signer{cmd: exec.CommandContext(ctx, self, "sign")}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("peer signer: %w", err)
	}
	s.addr, s.root, _ = strings.Cut(strings.TrimSpace(line), " ")
	return s, nil
}

func (s *signer) stop() {
	s.in.Close()
	_ = s.cmd.Wait()
}
