package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Sizes of struct audit_rule_data (linux/audit.h).
const (
	maskWords = 64
	maxFields = 64
	ruleSize  = 4 * (3 + maskWords + 3*maxFields + 1)
	maxKey    = 256
	maxPath   = 4096
)

// Lists a rule can be in, and what it says about an event.
const (
	listTask   = 1
	listExit   = 4
	prepend    = 0x10
	actNever   = 0
	actAlways  = 2
	listMask   = 0x0f
	wordBits   = 32
	maxSyscall = maskWords * wordBits
)

// Fields, and how they are compared.
const (
	fieldPID       = 0
	fieldUID       = 1
	fieldLoginUID  = 9
	fieldArch      = 11
	fieldSuccess   = 104
	fieldWatch     = 105
	fieldPerm      = 106
	fieldDir       = 107
	fieldExe       = 112
	fieldSaddrFam  = 113
	fieldArg0      = 200
	fieldKey       = 210
	firstSubject   = 13 // of SELinux, which have texts as values
	lastSubject    = 17
	firstObject    = 19
	lastObject     = 23
	equal          = 0x40000000
	notEqual       = 0x30000000
	permWrite      = 2
	permAttributes = 8
)

// field is one condition of a rule. Text is the value of those that have one.
type field struct {
	id, op, value uint32
	text          string
}

func textual(id uint32) bool {
	return id == fieldWatch || id == fieldDir || id == fieldExe || id == fieldKey || id >= firstSubject && id <= lastSubject || id >= firstObject && id <= lastObject
}

// Rule is a rule of the audit system, as the kernel keeps it: struct audit_rule_data.
type Rule struct {
	list, action uint32 // list with prepend
	mask         [maskWords]uint32
	fields       []field
}

// add makes a system call one of those that a rule is about.
func (r *Rule) add(number uint32) {
	if number < maxSyscall {
		r.mask[number/wordBits] |= 1 << (number % wordBits)
	}
}

// Key is the name it was given, "" if none.
func (r *Rule) Key() string {
	for _, f := range r.fields {
		if f.id == fieldKey {
			return f.text
		}
	}
	return ""
}

// encode is the kernel's form.
func (r *Rule) encode() ([]byte, error) {
	if len(r.fields) > maxFields {
		return nil, fmt.Errorf("a rule has %d fields; the kernel takes %d", len(r.fields), maxFields)
	}
	out := make([]byte, ruleSize, ruleSize+64)
	put := func(at int, v uint32) { binary.NativeEndian.PutUint32(out[4*at:], v) }
	put(0, r.list)
	put(1, r.action)
	put(2, uint32(len(r.fields)))
	for i, w := range r.mask {
		put(3+i, w)
	}
	const fields, values, ops, length = 3 + maskWords, 3 + maskWords + maxFields, 3 + maskWords + 2*maxFields, 3 + maskWords + 3*maxFields
	texts := 0
	for i, f := range r.fields {
		put(fields+i, f.id)
		put(ops+i, f.op)
		if !textual(f.id) {
			put(values+i, f.value)
			continue
		}
		if most := map[bool]int{true: maxKey, false: maxPath}[f.id == fieldKey]; len(f.text) == 0 || len(f.text) > most {
			return nil, fmt.Errorf("field %d of a rule has a text of %d bytes; the kernel takes 1 to %d", f.id, len(f.text), most)
		}
		put(values+i, uint32(len(f.text)))
		out = append(out, f.text...)
		texts += len(f.text)
	}
	put(length, uint32(texts))
	return out, nil
}

var errRule = errors.New("the kernel's answer is no audit rule")

// decodeRule reads the kernel's form.
func decodeRule(b []byte) (*Rule, error) {
	if len(b) < ruleSize {
		return nil, errRule
	}
	get := func(at int) uint32 { return binary.NativeEndian.Uint32(b[4*at:]) }
	const fields, values, ops, length = 3 + maskWords, 3 + maskWords + maxFields, 3 + maskWords + 2*maxFields, 3 + maskWords + 3*maxFields
	r := &Rule{list: get(0), action: get(1)}
	count, texts := get(2), b[ruleSize:]
	if count > maxFields || uint64(get(length)) > uint64(len(texts)) {
		return nil, errRule
	}
	texts = texts[:get(length)]
	for i := range r.mask {
		r.mask[i] = get(3 + i)
	}
	for i := range int(count) {
		f := field{id: get(fields + i), op: get(ops + i), value: get(values + i)}
		if textual(f.id) {
			if uint64(f.value) > uint64(len(texts)) {
				return nil, errRule
			}
			f.text, texts, f.value = string(texts[:f.value]), texts[f.value:], 0
		}
		r.fields = append(r.fields, f)
	}
	return r, nil
}

// everything reports whether it forbids auditing of all new processes ("-a never,task"), as some distributions ship.
func (r *Rule) everything() bool {
	return r.list&listMask == listTask && r.action == actNever && len(r.fields) == 0
}

// String tells it nearly as auditctl does.
func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString("-a " + map[uint32]string{actNever: "never", 1: "possible", actAlways: "always"}[r.action])
	b.WriteString("," + map[uint32]string{0: "user", listTask: "task", 2: "entry", listExit: "exit", 5: "exclude", 6: "filesystem", 7: "io_uring"}[r.list&listMask])
	names := map[uint32]string{
		fieldPID: "pid", fieldUID: "uid", fieldLoginUID: "auid", fieldArch: "arch", fieldSuccess: "success", fieldWatch: "path", fieldPerm: "perm", fieldDir: "dir",
		fieldExe: "exe", fieldSaddrFam: "saddr_fam", fieldArg0: "a0", fieldArg0 + 1: "a1", fieldArg0 + 2: "a2", fieldArg0 + 3: "a3", fieldKey: "key",
	}
	for _, f := range r.fields {
		name, ok := names[f.id]
		if !ok {
			name = "field" + strconv.Itoa(int(f.id))
		}
		op := map[uint32]string{equal: "=", notEqual: "!="}[f.op]
		if op == "" {
			op = fmt.Sprintf("[%x]", f.op)
		}
		value := f.text
		switch {
		case f.id == fieldArch:
			value = fmt.Sprintf("%x", f.value)
		case f.id == fieldPerm:
			value = permissions(f.value)
		case !textual(f.id):
			value = strconv.FormatUint(uint64(f.value), 10)
		}
		b.WriteString(" -F " + name + op + value)
	}
	first := " -S "
	for n := range uint32(maxSyscall) {
		if r.mask[n/wordBits]&(1<<(n%wordBits)) != 0 {
			b.WriteString(first + strconv.Itoa(int(n)))
			first = ","
		}
	}
	return b.String()
}

func permissions(p uint32) (s string) {
	for i, c := range [...]string{"x", "w", "r", "a"} {
		if p&(1<<i) != 0 {
			s += c
		}
	}
	return s
}

// textLength is how long the texts are that follow the fixed part.
func textLength(b []byte) int {
	return int(binary.NativeEndian.Uint32(b[ruleSize-4:]))
}
