package linuxaudit

import "bytes"

// The names of the fields of SYSCALL and PATH, most of all there are, as numbers: their bytes, the first one highest. Comparing numbers takes half the time of
// comparing bytes. TestKeys compares them with their names.
const (
	keyArch     = 'a'<<24 | 'r'<<16 | 'c'<<8 | 'h'
	keySyscall  = 's'<<48 | 'y'<<40 | 's'<<32 | 'c'<<24 | 'a'<<16 | 'l'<<8 | 'l'
	keySuccess  = 's'<<48 | 'u'<<40 | 'c'<<32 | 'c'<<24 | 'e'<<16 | 's'<<8 | 's'
	keyExit     = 'e'<<24 | 'x'<<16 | 'i'<<8 | 't'
	keyA0       = 'a'<<8 | '0'
	keyA1       = 'a'<<8 | '1'
	keyA2       = 'a'<<8 | '2'
	keyA3       = 'a'<<8 | '3'
	keyPpid     = 'p'<<24 | 'p'<<16 | 'i'<<8 | 'd'
	keyPid      = 'p'<<16 | 'i'<<8 | 'd'
	keyAuid     = 'a'<<24 | 'u'<<16 | 'i'<<8 | 'd'
	keyUid      = 'u'<<16 | 'i'<<8 | 'd'
	keyGid      = 'g'<<16 | 'i'<<8 | 'd'
	keyEuid     = 'e'<<24 | 'u'<<16 | 'i'<<8 | 'd'
	keySuid     = 's'<<24 | 'u'<<16 | 'i'<<8 | 'd'
	keyFsuid    = 'f'<<32 | 's'<<24 | 'u'<<16 | 'i'<<8 | 'd'
	keyEgid     = 'e'<<24 | 'g'<<16 | 'i'<<8 | 'd'
	keySgid     = 's'<<24 | 'g'<<16 | 'i'<<8 | 'd'
	keyFsgid    = 'f'<<32 | 's'<<24 | 'g'<<16 | 'i'<<8 | 'd'
	keySes      = 's'<<16 | 'e'<<8 | 's'
	keyTty      = 't'<<16 | 't'<<8 | 'y'
	keyComm     = 'c'<<24 | 'o'<<16 | 'm'<<8 | 'm'
	keyExe      = 'e'<<16 | 'x'<<8 | 'e'
	keySubj     = 's'<<24 | 'u'<<16 | 'b'<<8 | 'j'
	keyKey      = 'k'<<16 | 'e'<<8 | 'y'
	keyItem     = 'i'<<24 | 't'<<16 | 'e'<<8 | 'm'
	keyName     = 'n'<<24 | 'a'<<16 | 'm'<<8 | 'e'
	keyInode    = 'i'<<32 | 'n'<<24 | 'o'<<16 | 'd'<<8 | 'e'
	keyDev      = 'd'<<16 | 'e'<<8 | 'v'
	keyMode     = 'm'<<24 | 'o'<<16 | 'd'<<8 | 'e'
	keyOuid     = 'o'<<24 | 'u'<<16 | 'i'<<8 | 'd'
	keyOgid     = 'o'<<24 | 'g'<<16 | 'i'<<8 | 'd'
	keyNametype = 'n'<<56 | 'a'<<48 | 'm'<<40 | 'e'<<32 | 't'<<24 | 'y'<<16 | 'p'<<8 | 'e'
	keyObjtype  = 'o'<<48 | 'b'<<40 | 'j'<<32 | 't'<<24 | 'y'<<16 | 'p'<<8 | 'e'
)

// number is a name of up to eight bytes as one number, else 0.
func number(name []byte) (n uint64) {
	if len(name) > 8 {
		return 0
	}
	for _, c := range name {
		n = n<<8 | uint64(c)
	}
	return n
}

// plain reads the field that b begins with as the kernel writes most, in one pass: its name as a number, its value, and what follows. ok is false at the end, and where
// anything is not as in most: Next reads it then. Nothing is written through a pointer, which would cost much while the collector works.
func plain(b []byte) (name uint64, value []byte, quote Quote, rest []byte, ok bool) {
	from := 0
	for from < len(b) && b[from] == ' ' {
		from++
	}
	i := from
	for ; i < len(b); i++ {
		c := b[i]
		if c == '=' {
			break
		}
		if c <= ' ' || c == ',' || c == '(' {
			return 0, nil, Bare, nil, false
		}
		name = name<<8 | uint64(c)
	}
	if i == from || i+1 >= len(b) || b[i+1] == '\'' {
		return 0, nil, Bare, nil, false
	}
	if i-from > 8 {
		name = 0
	}
	i++
	from = i
	if b[i] == '"' {
		end := bytes.IndexByte(b[i+1:], '"')
		if end < 0 {
			return 0, nil, Bare, nil, false
		}
		return name, b[i+1 : i+1+end], Quoted, b[i+end+2:], true
	}
	for i < len(b) && b[i] != ' ' {
		i++
	}
	if i > from && (b[i-1] == ',' || b[i-1] == ')') {
		return 0, nil, Bare, nil, false
	}
	return name, b[from:i], Bare, b[i:], true
}
