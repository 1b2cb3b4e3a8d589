// Package persona makes up the machine that the honeypot pretends to be: distribution, kernel, processor, memory, disk, users, packages, processes, addresses and
// the time it was started. It is drawn once per installation from a random seed and kept, so that no two installations answer alike (traps are
// known by their default names) and one installation always answers the same.
//
// All of it is one coherent picture: the version string of sshd is the one its distribution ships, /proc/cpuinfo has the cores that nproc counts, free and
// /proc/meminfo agree. Nothing in this package looks at the host.
package persona
