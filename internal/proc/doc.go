// Package proc runs child processes: the sites' commands, and whatever else the platform needs beside itself.
//
// A Process is one command that is kept alive: started in a process group of its own with exactly the environment it is given,
// restarted with a growing pause when it ends by itself, and stopped as a whole group (asked first, killed after a grace period).
// On Linux a child dies with the platform even when the platform is killed; its own children then live on until they notice, which is the one hole.
// What it prints goes to a rotating log file.
//
// Invariants: every goroutine ends before Stop returns; no child is left unreaped; neither the environment nor an argument is ever in an error or a log of ours.
package proc
