package keyvault

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
)

// attributeType finds the type of a distinguished name's attribute by its short name; nil if it is unknown.
func attributeType(name string) asn1.ObjectIdentifier {
	switch strings.ToUpper(name) {
	case "CN":
		return asn1.ObjectIdentifier{2, 5, 4, 3}
	case "SERIALNUMBER":
		return asn1.ObjectIdentifier{2, 5, 4, 5}
	case "C":
		return asn1.ObjectIdentifier{2, 5, 4, 6}
	case "L":
		return asn1.ObjectIdentifier{2, 5, 4, 7}
	case "S", "ST":
		return asn1.ObjectIdentifier{2, 5, 4, 8}
	case "STREET":
		return asn1.ObjectIdentifier{2, 5, 4, 9}
	case "O":
		return asn1.ObjectIdentifier{2, 5, 4, 10}
	case "OU":
		return asn1.ObjectIdentifier{2, 5, 4, 11}
	case "DC":
		return asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	case "E", "EMAIL":
		return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	}
	name = strings.TrimPrefix(strings.ToUpper(name), "OID.")
	if oid, err := parseOID(name); err == nil {
		return oid
	}
	return nil
}

// parseSubject reads a distinguished name such as "CN=app.contoso.com, O=\"Contoso, Ltd.\", C=US" (RFC 4514, with the quotes X.500 tools also write).
// The text begins with the most specific part, the sequence ends with it.
func parseSubject(text string) (pkix.RDNSequence, error) {
	var seq pkix.RDNSequence
	var set pkix.RelativeDistinguishedNameSET
	rest := strings.TrimSpace(text)
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		oid := attributeType(strings.TrimSpace(name))
		if !ok || oid == nil {
			return nil, policyFault("x509_props.subject '%s' is no X.500 distinguished name.", clip(text))
		}
		value, end, ok := attributeValue(after)
		if !ok || value == "" {
			return nil, policyFault("x509_props.subject '%s' is no X.500 distinguished name.", clip(text))
		}
		set = append(set, pkix.AttributeTypeAndValue{Type: oid, Value: value})
		separator := byte(',')
		if end != "" {
			separator, end = end[0], strings.TrimSpace(end[1:])
			if end == "" {
				return nil, policyFault("x509_props.subject '%s' is no X.500 distinguished name.", clip(text))
			}
		}
		if separator != '+' {
			seq, set = append(seq, set), nil
		}
		rest = end
	}
	slices.Reverse(seq)
	return seq, nil
}

// attributeValue takes a value up to the next separator, which stays at the beginning of rest.
func attributeValue(s string) (value, rest string, ok bool) {
	s = strings.TrimSpace(s)
	var b strings.Builder
	if strings.HasPrefix(s, `"`) {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && i+1 < len(s):
				i++
				b.WriteByte(s[i])
			case s[i] == '"':
				rest = strings.TrimSpace(s[i+1:])
				return b.String(), rest, rest == "" || strings.IndexByte(",;+", rest[0]) >= 0
			default:
				b.WriteByte(s[i])
			}
		}
		return "", "", false
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case strings.IndexByte(",;+", s[i]) >= 0:
			return strings.TrimSpace(b.String()), s[i:], true
		case s[i] == '"':
			return "", "", false
		default:
			b.WriteByte(s[i])
		}
	}
	return strings.TrimSpace(b.String()), "", true
}
