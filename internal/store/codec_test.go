package store_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/bulkheadhq/bulkhead/internal/store"
)

type pet struct{ Name string }

func TestCodec(t *testing.T) {
	t.Parallel()
	v1 := store.Codec[pet]{Kind: 'P', Version: 1}
	v3 := store.Codec[pet]{Kind: 'P', Version: 3, Upgrade: func(from byte, body []byte) ([]byte, error) {
		if from != 1 {
			return nil, errors.New("never written")
		}
		return bytes.ReplaceAll(body, []byte("Rex"), []byte("King")), nil
	}}
	b, err := v1.Encode(pet{"Rex"})
	if err != nil || b[0] != 'P' || b[1] != 1 {
		t.Fatalf("Encode: got %q, %v", b, err)
	}
	if got, err := v1.Decode(b); got.Name != "Rex" || err != nil {
		t.Errorf("Decode: got %v, %v", got, err)
	}
	if got, err := v3.Decode(b); got.Name != "King" || err != nil {
		t.Errorf("Decode of version 1 by 3: got %v, %v", got, err)
	}
	newer, err := v3.Encode(pet{"Rex"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v1.Decode(newer)
	if !errors.Is(err, store.ErrVersion) || !strings.Contains(err.Error(), "version 3") || !strings.Contains(err.Error(), "up to 1") {
		t.Errorf("Decode of version 3 by 1: got %v, want ErrVersion naming both", err)
	}
	bad := map[string][]byte{
		"empty": nil, "short": {'P'}, "other kind": []byte("Q\x01{}"), "version 0": []byte("P\x00{}"),
		"not JSON": []byte("P\x01{"), "wrong type": []byte(`P` + "\x01" + `{"Name":1}`),
	}
	for name, b := range bad {
		if got, err := v1.Decode(b); err == nil {
			t.Errorf("Decode of %s: got %v, no error", name, got)
		}
	}
	if _, err := v3.Decode([]byte("P\x02{}")); err == nil {
		t.Error("failed upgrade: got no error")
	}
}
