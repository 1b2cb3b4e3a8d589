package detect

// fileAccess is what a tool does with the files it is given.
type fileAccess uint8

const (
	noAccess fileAccess = iota
	readsAll
	writesAll
	edits
	writesLast
	removesAll
	converts
	fetches
	runsCode
)

// accessOf is what a tool does with the files it is given.
func accessOf(name string) fileAccess {
	switch name {
	case "cat", "tac", "nl", "head", "tail", "less", "more", "most", "bat", "batcat", "strings", "xxd", "od", "hexdump", "hd", "base64", "base32", "basenc", "b64encode", "grep", "egrep", "fgrep", "zgrep", "zcat", "rg", "awk", "gawk", "mawk", "nawk", "cut", "sort", "uniq", "rev", "paste", "column",
		"tar", "zip", "7z", "7za", "7zr", "rar", "gzip", "pigz", "bzip2", "xz", "zstd", "cpio", "openssl", "gpg", "gpg2", "ccrypt", "ccencrypt", "age", "split", "diff", "cmp", "comm", "file", "jq", "sqlite3", "nc", "ncat", "netcat", "socat", "unshadow", "john", "hashcat", "pr", "fold", "expand",
		"fmt", "look", "iconv", "uuencode", "eval", "busybox", "source", ".", "dos2unix", "sha256sum", "md5sum", "view", "mail", "mutt", "sendmail", "ar", "xargs", "dmsetup", "hexyl", "ul", "shuf", "csplit", "tr", "wc",
		"utmpdump":
		return readsAll
	case "tee", "touch", "truncate", "ed", "ex", "vi", "vim", "nvim", "nano", "pico", "emacs", "mcedit", "joe", "micro", "sponge", "patch", "kate", "gedit", "chflags":
		return writesAll
	case "sed", "gsed":
		return edits
	case "cp", "mv", "ln", "install", "rsync", "scp", "gcp", "pax", "link":
		return writesLast
	case "rm", "unlink", "shred", "srm", "wipe", "rmdir":
		return removesAll
	case "dd", "dc3dd", "dcfldd":
		return converts
	case "curl", "wget", "wget2", "aria2c":
		return fetches
	}
	switch wrapperOf(name) {
	case wrapsPerl, wrapsPython:
		return runsCode
	}
	return noAccess
}
