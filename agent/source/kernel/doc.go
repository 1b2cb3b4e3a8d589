// Package kernel is the source of events that the Linux kernel's audit system tells while they happen, read from its netlink multicast group.
//
// It needs no audit daemon and doesn't take the place of one: whoever reads the group gets a copy. While it runs it has rules of its own in the kernel, which are told
// from others' by their key; Rules lists them. What it changes (rules, whether auditing is on, the length of the queue) is noted in a file first and put back when it ends;
// after a crash, the next start puts it back.
//
// The kernel must never wait for us. Nothing is asked of it that makes it wait: the time that a process would wait for room in the queue is set to zero, the socket has a large
// buffer, and a goroutine that does nothing else moves what comes into bounded memory. What doesn't fit at one of these places is lost and counted there: by the
// kernel (its counter "lost"), by serials that never came, by the buffer.
//
// It is the machine's own audit system: reading wants CAP_AUDIT_READ, rules want CAP_AUDIT_CONTROL, both in the first user and PID namespace, so not in a container.
// A kernel without audit, switched off at boot (audit=0), or locked (auditctl -e 2) refuses, and the error says which of these it was.
package kernel
