package activity

// Architectures, as audit records write them: the machine's ELF number, with bits for 64 bits and little-endian.
const (
	archX8664 = 0xc000003e
	archI386  = 0x40000003
	archARM64 = 0xc00000b7
)

type call struct {
	x8664, i386, arm64 uint32 // 0 where the architecture has none
	name               string
	kind               Kind
}

// calls are those that audit rules are written for. Source: the kernel's system call tables.
var calls = [...]call{
	{59, 11, 221, "execve", Exec},
	{322, 358, 281, "execveat", Exec},
	{42, 362, 203, "connect", Connect},
	{49, 361, 200, "bind", Bind},
	{50, 363, 201, "listen", Bind},
	{43, 0, 202, "accept", Other},
	{288, 364, 242, "accept4", Other},
	{44, 369, 206, "sendto", Connect},
	{41, 359, 198, "socket", Other},
	{2, 5, 0, "open", Write},
	{257, 295, 56, "openat", Write},
	{437, 437, 437, "openat2", Write},
	{85, 8, 0, "creat", Write},
	{76, 92, 45, "truncate", Write},
	{77, 93, 46, "ftruncate", Write},
	{83, 39, 0, "mkdir", Write},
	{258, 296, 34, "mkdirat", Write},
	{86, 9, 0, "link", Write},
	{265, 303, 37, "linkat", Write},
	{88, 83, 0, "symlink", Write},
	{266, 304, 36, "symlinkat", Write},
	{87, 10, 0, "unlink", Delete},
	{263, 301, 35, "unlinkat", Delete},
	{84, 40, 0, "rmdir", Delete},
	{82, 38, 0, "rename", Rename},
	{264, 302, 38, "renameat", Rename},
	{316, 353, 276, "renameat2", Rename},
	{90, 15, 0, "chmod", Chmod},
	{91, 94, 52, "fchmod", Chmod},
	{268, 306, 53, "fchmodat", Chmod},
	{452, 452, 452, "fchmodat2", Chmod},
	{92, 182, 0, "chown", Chown},
	{93, 95, 55, "fchown", Chown},
	{94, 198, 0, "lchown", Chown},
	{260, 298, 54, "fchownat", Chown},
	{188, 226, 5, "setxattr", Chown},
	{189, 227, 6, "lsetxattr", Chown},
	{190, 228, 7, "fsetxattr", Chown},
	{197, 235, 14, "removexattr", Chown},
	{132, 30, 0, "utime", Times},
	{235, 271, 0, "utimes", Times},
	{261, 299, 0, "futimesat", Times},
	{280, 320, 88, "utimensat", Times},
	{227, 264, 112, "clock_settime", Other},
	{164, 79, 170, "settimeofday", Other},
	{159, 124, 171, "adjtimex", Other},
	{101, 26, 117, "ptrace", Trace},
	{310, 347, 270, "process_vm_readv", Trace},
	{311, 348, 271, "process_vm_writev", Trace},
	{175, 128, 105, "init_module", Module},
	{313, 350, 273, "finit_module", Module},
	{176, 129, 106, "delete_module", Module},
	{246, 283, 104, "kexec_load", Module},
	{320, 0, 294, "kexec_file_load", Module},
	{321, 357, 280, "bpf", Module},
	{319, 356, 279, "memfd_create", Memfile},
	{105, 213, 146, "setuid", SetUser},
	{106, 214, 144, "setgid", SetUser},
	{113, 203, 145, "setreuid", SetUser},
	{114, 204, 143, "setregid", SetUser},
	{117, 208, 147, "setresuid", SetUser},
	{119, 210, 149, "setresgid", SetUser},
	{165, 21, 40, "mount", Mount},
	{166, 52, 39, "umount2", Mount},
	{155, 217, 41, "pivot_root", Mount},
	{272, 310, 97, "unshare", Other},
	{308, 346, 268, "setns", Other},
	{62, 37, 129, "kill", Kill},
	{234, 270, 131, "tgkill", Kill},
	{56, 120, 220, "clone", Other},
	{57, 2, 0, "fork", Other},
	{58, 190, 0, "vfork", Other},
	{435, 435, 435, "clone3", Other},
	{231, 252, 94, "exit_group", Other},
	{170, 74, 161, "sethostname", Other},
	{171, 121, 162, "setdomainname", Other},
	{167, 87, 224, "swapon", Other},
	{169, 88, 142, "reboot", Other},
	{133, 14, 0, "mknod", Write},
	{259, 297, 33, "mknodat", Write},
	{99, 116, 179, "sysinfo", Other},
	{103, 103, 116, "syslog", Other},
	{135, 136, 92, "personality", Other},
}

// Number is a system call's number on an architecture, as audit records and rules write that; ok is false if it is none of those that are known here, or the architecture has none.
func Number(arch uint32, name string) (n uint32, ok bool) {
	for i := range calls {
		if c := &calls[i]; c.name == name {
			n = c.number(arch)
			return n, n != 0
		}
	}
	return 0, false
}

func (c *call) number(arch uint32) uint32 {
	switch arch {
	case archX8664:
		return c.x8664
	case archI386:
		return c.i386
	case archARM64:
		return c.arm64
	}
	return 0
}

// callOf is a call's name and kind; "" and Other if it is none of those above.
func callOf(arch, number uint32) (string, Kind) {
	for i := range calls {
		c := &calls[i]
		if n := c.number(arch); n == number && n != 0 {
			return c.name, c.kind
		}
	}
	return "", Other
}
