package linuxaudit

import "testing"

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]uint64{
		"arch":     keyArch,
		"syscall":  keySyscall,
		"success":  keySuccess,
		"exit":     keyExit,
		"a0":       keyA0,
		"a1":       keyA1,
		"a2":       keyA2,
		"a3":       keyA3,
		"ppid":     keyPpid,
		"pid":      keyPid,
		"auid":     keyAuid,
		"uid":      keyUid,
		"gid":      keyGid,
		"euid":     keyEuid,
		"suid":     keySuid,
		"fsuid":    keyFsuid,
		"egid":     keyEgid,
		"sgid":     keySgid,
		"fsgid":    keyFsgid,
		"ses":      keySes,
		"tty":      keyTty,
		"comm":     keyComm,
		"exe":      keyExe,
		"subj":     keySubj,
		"key":      keyKey,
		"item":     keyItem,
		"name":     keyName,
		"inode":    keyInode,
		"dev":      keyDev,
		"mode":     keyMode,
		"ouid":     keyOuid,
		"ogid":     keyOgid,
		"nametype": keyNametype,
		"objtype":  keyObjtype,
	} {
		if got := number([]byte(name)); got != n {
			t.Errorf("%s is %x, the constant %x", name, got, n)
		}
	}
	if number([]byte("argument1")) != 0 {
		t.Error("a name of nine bytes has a number")
	}
}
