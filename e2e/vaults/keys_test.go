package vaults

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func keysClient(t *testing.T, v vault) *azkeys.Client {
	t.Helper()
	c, err := azkeys.NewClient(v.way.Vault(v.name), v.cred, &azkeys.ClientOptions{ClientOptions: v.way.ClientOptions()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rsaPublic(k *azkeys.JSONWebKey) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBytes(k.N), E: int(new(big.Int).SetBytes(k.E).Int64())}
}

func ecPublic(t *testing.T, c elliptic.Curve, k *azkeys.JSONWebKey) *ecdsa.PublicKey {
	t.Helper()
	return ok(ecdsa.ParseUncompressedPublicKey(c, slices.Concat([]byte{4}, k.X, k.Y)))(t, "public key")
}

func TestKeys_SignaturesVerifyLocally(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		c, ctx := keysClient(t, v), t.Context()
		made := ok(c.CreateKey(ctx, "rsa", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr[int32](2048)}, nil))(t, "create RSA")
		pub := rsaPublic(made.Key)
		sum, sum384 := sha256.Sum256([]byte("hello")), sha512.Sum384([]byte("hello"))
		sign := func(key string, alg azkeys.SignatureAlgorithm, digest []byte) []byte {
			t.Helper()
			sig := ok(c.Sign(ctx, key, "", azkeys.SignParameters{Algorithm: &alg, Value: digest}, nil))(t, string(alg))
			verified := ok(c.Verify(ctx, key, sig.KID.Version(), azkeys.VerifyParameters{Algorithm: &alg, Digest: digest, Signature: sig.Result}, nil))(t, "verify")
			if !*verified.Value {
				t.Errorf("%s: the vault does not verify its own signature", alg)
			}
			return sig.Result
		}
		if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sign("rsa", azkeys.SignatureAlgorithmRS256, sum[:])); err != nil {
			t.Errorf("RS256: %v", err)
		}
		if err := rsa.VerifyPSS(pub, crypto.SHA384, sum384[:], sign("rsa", azkeys.SignatureAlgorithmPS384, sum384[:]), nil); err != nil {
			t.Errorf("PS384: %v", err)
		}
		for _, ec := range []struct {
			name  azkeys.CurveName
			curve elliptic.Curve
			alg   azkeys.SignatureAlgorithm
			hash  crypto.Hash
		}{
			{azkeys.CurveNameP256, elliptic.P256(), azkeys.SignatureAlgorithmES256, crypto.SHA256},
			{azkeys.CurveNameP384, elliptic.P384(), azkeys.SignatureAlgorithmES384, crypto.SHA384},
			{azkeys.CurveNameP521, elliptic.P521(), azkeys.SignatureAlgorithmES512, crypto.SHA512},
		} {
			name := "ec-" + string(ec.name)
			made := ok(c.CreateKey(ctx, name, azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: &ec.name}, nil))(t, "create EC")
			h := ec.hash.New()
			h.Write([]byte("hello"))
			digest := h.Sum(nil)
			sig := sign(name, ec.alg, digest)
			half := len(sig) / 2
			if !ecdsa.Verify(ecPublic(t, ec.curve, made.Key), digest, new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])) {
				t.Errorf("%s: the signature does not verify locally", ec.alg)
			}
		}
		alg := azkeys.SignatureAlgorithmES256
		_, err := c.Sign(ctx, "rsa", "", azkeys.SignParameters{Algorithm: &alg, Value: sum[:]}, nil)
		wantCode(t, "ES256 with an RSA key", err, 400, "BadParameter")
	})
}

func TestKeys_WrapWithThePublicKeyLocally(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		c, ctx := keysClient(t, v), t.Context()
		made := ok(c.CreateKey(ctx, "kek", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA)}, nil))(t, "create")
		dek := ok(c.GetRandomBytes(ctx, azkeys.GetRandomBytesParameters{Count: to.Ptr[int32](32)}, nil))(t, "random bytes").Value
		if len(dek) != 32 {
			t.Fatalf("%d random bytes", len(dek))
		}
		alg := to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256)
		wrapped := ok(c.WrapKey(ctx, "kek", "", azkeys.KeyOperationParameters{Algorithm: alg, Value: dek}, nil))(t, "wrap")
		back := ok(c.UnwrapKey(ctx, "kek", "", azkeys.KeyOperationParameters{Algorithm: alg, Value: wrapped.Result}, nil))(t, "unwrap")
		if !slices.Equal(back.Result, dek) {
			t.Error("wrapped and unwrapped: another key")
		}
		local := ok(rsa.EncryptOAEP(sha256.New(), rand.Reader, rsaPublic(made.Key), dek, nil))(t, "wrap locally")
		back = ok(c.UnwrapKey(ctx, "kek", made.Key.KID.Version(), azkeys.KeyOperationParameters{Algorithm: alg, Value: local}, nil))(t, "unwrap what was wrapped locally")
		if !slices.Equal(back.Result, dek) {
			t.Error("wrapped locally: another key")
		}
		secret := ok(c.Encrypt(ctx, "kek", "", azkeys.KeyOperationParameters{Algorithm: alg, Value: []byte("text")}, nil))(t, "encrypt")
		plain := ok(c.Decrypt(ctx, "kek", "", azkeys.KeyOperationParameters{Algorithm: alg, Value: secret.Result}, nil))(t, "decrypt")
		if string(plain.Result) != "text" {
			t.Errorf("decrypted %q", plain.Result)
		}
		ok(c.UpdateKey(ctx, "kek", "", azkeys.UpdateKeyParameters{KeyOps: to.SliceOfPtrs(azkeys.KeyOperationUnwrapKey)}, nil))(t, "update")
		_, err := c.Encrypt(ctx, "kek", "", azkeys.KeyOperationParameters{Algorithm: alg, Value: []byte("text")}, nil)
		wantCode(t, "encrypt with a key for unwrapping", err, 403, "Forbidden")
	})
}

func TestKeys_LifeCycle(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, v vault) {
		c, ctx := keysClient(t, v), t.Context()
		private := ok(rsa.GenerateKey(rand.Reader, 2048))(t, "generate")
		imported := ok(c.ImportKey(ctx, "mine", azkeys.ImportKeyParameters{Key: &azkeys.JSONWebKey{
			Kty: to.Ptr(azkeys.KeyTypeRSA), N: private.N.Bytes(), E: big.NewInt(int64(private.E)).Bytes(), D: private.D.Bytes(), P: private.Primes[0].Bytes(),
			Q: private.Primes[1].Bytes(), DP: private.Precomputed.Dp.Bytes(), DQ: private.Precomputed.Dq.Bytes(), QI: private.Precomputed.Qinv.Bytes(),
		}}, nil))(t, "import")
		if !rsaPublic(imported.Key).Equal(&private.PublicKey) || imported.Key.D != nil {
			t.Error("imported another key, or its private part came back")
		}
		ok(c.UpdateKeyRotationPolicy(ctx, "mine", azkeys.KeyRotationPolicy{
			Attributes: &azkeys.KeyRotationPolicyAttributes{ExpiryTime: to.Ptr("P1Y")},
			LifetimeActions: []*azkeys.LifetimeAction{{
				Action:  &azkeys.LifetimeActionType{Type: to.Ptr(azkeys.KeyRotationPolicyActionRotate)},
				Trigger: &azkeys.LifetimeActionTrigger{TimeBeforeExpiry: to.Ptr("P30D")},
			}},
		}, nil))(t, "set rotation policy")
		rotated := ok(c.RotateKey(ctx, "mine", nil))(t, "rotate")
		if rotated.Attributes.Expires == nil || rsaPublic(rotated.Key).Equal(&private.PublicKey) {
			t.Errorf("rotated: %+v", rotated.Attributes)
		}
		policy := ok(c.GetKeyRotationPolicy(ctx, "mine", nil))(t, "get rotation policy")
		if *policy.Attributes.ExpiryTime != "P1Y" || *policy.LifetimeActions[0].Trigger.TimeBeforeExpiry != "P30D" {
			t.Errorf("policy: %+v", policy)
		}
		versions := 0
		for pager := c.NewListKeyPropertiesVersionsPager("mine", nil); pager.More(); {
			versions += len(ok(pager.NextPage(ctx))(t, "versions").Value)
		}
		if versions != 2 {
			t.Errorf("%d versions", versions)
		}
		blob := ok(c.BackupKey(ctx, "mine", nil))(t, "backup")
		ok(c.DeleteKey(ctx, "mine", nil))(t, "delete")
		ok(c.GetDeletedKey(ctx, "mine", nil))(t, "get deleted")
		ok(c.RecoverDeletedKey(ctx, "mine", nil))(t, "recover")
		ok(c.GetKey(ctx, "mine", imported.Key.KID.Version(), nil))(t, "get the first version")
		ok(c.DeleteKey(ctx, "mine", nil))(t, "delete again")
		_, err := c.CreateKey(ctx, "mine", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil)
		wantCode(t, "create over a deleted key", err, 409, "Conflict")
		ok(c.PurgeDeletedKey(ctx, "mine", nil))(t, "purge")
		_, err = c.GetKey(ctx, "mine", "", nil)
		wantCode(t, "get a purged key", err, 404, "KeyNotFound")
		restored := ok(c.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: blob.Value}, nil))(t, "restore")
		if restored.Key.KID.Version() != rotated.Key.KID.Version() {
			t.Errorf("restored %s", *restored.Key.KID)
		}
	})
}
