package linuxaudit

// maxArgs bounds the arguments that are kept of one command line. Of what fits into the kernel's usual bound of 2 MiB, a pointer each included, no more than 210,000 are possible.
const maxArgs = 1 << 18

// pieces is what is known of one argument.
type pieces struct {
	from, to   int    // in the memory for decoded bytes
	wanted     uint64 // how long the kernel said it is: of the argument, or of its digits
	digits     int    // how many digits, or bytes, came
	next       int    // number of the piece that comes next
	seen, lost bool
}

// command joins the arguments of the EXECVE records of an event, which may be several: arguments have numbers, pieces of a long one have numbers too.
type command struct {
	args  []pieces
	count int
}

func (c *command) reset() { c.args, c.count = c.args[:0], 0 }

// add reads one EXECVE record. Arguments come one after the other, so the pieces of one stand together in dec.
func (c *command) add(body, dec []byte) []byte {
	f := FieldsOf(body)
	for f.Next() {
		if string(f.Key) == "argc" {
			n, _ := decimal(f.Value)
			c.count = int(min(n, maxArgs))
			continue
		}
		arg, piece, kind := argumentKey(f.Key)
		if kind == notArgument || arg >= maxArgs {
			continue
		}
		for arg >= len(c.args) {
			c.args = append(c.args, pieces{})
		}
		p := &c.args[arg]
		if kind == lengthOf {
			p.wanted, _ = decimal(f.Value)
			continue
		}
		start := len(dec)
		var v []byte
		if f.Quote == Bare {
			v, dec = decodeHex(f.Value, dec)
		} else {
			v = f.Value
		}
		if len(dec) == start { // as it stands
			dec = append(dec, v...)
		}
		switch {
		case kind == whole || !p.seen:
			p.from, p.lost = start, kind == pieceOf && piece != 0
		case p.to != start || piece != p.next:
			p.lost = true // another argument is between, or a piece is missing: what came first is kept
			dec = dec[:start]
			continue
		}
		p.seen, p.to, p.next = true, len(dec), piece+1
		p.digits += len(f.Value)
	}
	return dec
}

// result writes the arguments to out. Arguments between others of which nothing came are empty.
func (c *command) result(dec []byte, out *Exec) {
	out.Args, out.Missing = out.Args[:0], 0
	out.Count = max(c.count, len(c.args))
	for i := range c.args {
		p := &c.args[i]
		out.Args = append(out.Args, dec[p.from:p.to:p.to])
		n := uint64(p.to - p.from)
		if !p.seen || p.lost || p.wanted > 0 && p.wanted != n && p.wanted != uint64(p.digits) {
			out.Missing++
		}
	}
	out.Missing += out.Count - len(c.args)
}

type argumentKind uint8

const (
	notArgument argumentKind = iota
	whole                    // a2
	lengthOf                 // a2_len
	pieceOf                  // a2[0]
)

// argumentKey reads a key of an EXECVE record.
func argumentKey(key []byte) (arg, piece int, kind argumentKind) {
	if len(key) < 2 || key[0] != 'a' {
		return 0, 0, notArgument
	}
	n, i := digits(key, 1)
	if i == 1 || n >= maxArgs {
		return 0, 0, notArgument
	}
	switch {
	case i == len(key):
		return int(n), 0, whole
	case string(key[i:]) == "_len":
		return int(n), 0, lengthOf
	case key[i] == '[' && key[len(key)-1] == ']':
		p, j := digits(key, i+1)
		if j > i+1 && j == len(key)-1 && p < 1<<30 {
			return int(n), int(p), pieceOf
		}
	}
	return 0, 0, notArgument
}
