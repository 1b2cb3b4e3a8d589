package ids

import "testing"

func TestFormat(t *testing.T) {
	b := [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10}
	const want = "01234567-89ab-cdef-fedc-ba9876543210"
	if got := Format(b); got != want || !IsGUID(got) {
		t.Errorf("Format = %s, want %s", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { _ = Format(b) }); n > 1 {
		t.Errorf("Format allocates %v times, want at most once", n)
	}
}

func TestNew_IsVersion4(t *testing.T) {
	a, b := New(), New()
	if a == b || !IsGUID(a) || a[14] != '4' {
		t.Errorf("New = %s and %s", a, b)
	}
	for _, s := range []string{"", a[:35], a + "0", "g" + a[1:], a[:8] + "0" + a[9:]} {
		if IsGUID(s) {
			t.Errorf("IsGUID(%q)", s)
		}
	}
}

func TestParse(t *testing.T) {
	for range 100 {
		s := New()
		b, ok := Parse(s)
		if got := Format(b); !ok || got != s {
			t.Fatalf("Parse(%q) = %q, %t", s, got, ok)
		}
	}
	good := New()
	for _, s := range []string{"", good[:35], good + "0", "G" + good[1:], "A0000000-0000-4000-8000-000000000000", good[:8] + "0" + good[9:], good[:30] + "-" + good[31:]} {
		if b, ok := Parse(s); ok {
			t.Errorf("Parse(%q) = %x; want it refused", s, b)
		}
	}
}
