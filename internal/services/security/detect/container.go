package detect

import "strings"

func containerAnalytics() []commandAnalytic {
	return []commandAnalytic{
		{"container", []string{"docker", "podman", "nerdctl", "ctr", "crictl", "kubectl", "dockerd", "runc", "lxc", "lxd", "oc"}, onContainer},
		{"namespace", []string{"nsenter", "unshare", "chroot", "mount", "capsh", "debugfs", "curl"}, onNamespace},
	}
}

// onContainer: a container gets so much of its host that it is no wall; programs are run in others; the engine is offered to the network; images are built of what was not there.
func onContainer(s *step, c *Command) {
	if managed(s.process) {
		return
	}
	text := " " + strings.Join(c.Args, " ") + " "
	switch c.Name {
	case "docker", "podman", "nerdctl":
		if c.has("run", "create") {
			for i, a := range c.Args {
				v := c.arg(i + 1)
				if (a == "-v" || a == "--volume" || a == "--mount") && (strings.HasPrefix(v, "/:") || strings.HasPrefix(v, "/etc:") || strings.Contains(v, "docker.sock") || strings.Contains(v, "source=/,")) || strings.HasPrefix(a, "-v/:") || strings.HasPrefix(a, "--volume=/:") || a == "--privileged" || a == "--privileged=true" ||
					a == "--pid=host" || a == "--pid" && v == "host" || a == "--cap-add=SYS_ADMIN" || a == "--cap-add=ALL" || a == "--cap-add" && (v == "SYS_ADMIN" || v == "ALL" || v == "SYS_PTRACE" || v == "SYS_MODULE") || strings.HasPrefix(a, "--device=/dev/sd") || strings.Contains(a, "apparmor=unconfined") || strings.Contains(v, "seccomp=unconfined") {
					s.tell(&openContainer, 0.6, "", "a container was started that has its host's files, processes or rights")
					return
				}
			}
			s.tell(&containerRun, 0.2, "", "a container was started by hand")
			return
		}
		switch {
		case c.has("-H", "--host") && strings.Contains(text, "tcp://"):
			s.tell(&containerControl, 0.5, "", "another machine's containers were controlled")
		case c.has("exec"):
			s.tell(&containerRun, 0.3, "exec", "a program was run in a container")
		case c.arg(0) == "build" || c.arg(1) == "build" && c.arg(0) == "image":
			s.tell(&imageBuilt, 0.2, "", "an image was built by hand")
		case c.has("ps", "images", "inspect", "info", "network", "volume") && !c.has("rm", "prune", "create"):
			s.tell(&containersListed, 0.1, "", "containers were listed")
		case strings.Contains(text, " container prune ") || strings.Contains(text, " system prune ") && strings.Contains(text, "-a"):
			s.tell(&containersRemoved, 0.3, "", "all containers that don't run were removed, with their logs")
		}
	case "dockerd":
		if strings.Contains(text, "tcp://") && !strings.Contains(text, "--tlsverify") {
			s.tell(&exposedDocker, 0.7, "", "containers can be controlled from the network")
		}
	case "kubectl", "oc", "crictl":
		switch {
		case c.has("exec", "debug", "attach"):
			s.tell(&containerRun, 0.3, "exec", "a program was run in a container of a cluster")
		case c.has("clusterrolebinding") && c.has("create"):
			s.tell(&privilegeGranted, 0.6, "cluster", "an account got rights in all of a cluster")
		case c.has("run", "create", "apply") && (strings.Contains(text, "privileged") || strings.Contains(text, "hostPID") || strings.Contains(text, "hostPath")):
			s.tell(&openContainer, 0.6, "", "a container was started that has its host's files, processes or rights")
		case c.has("create") && c.has("cronjob", "daemonset"), c.has("run"):
			s.tell(&containerRun, 0.3, "run", "a container was started in a cluster by hand")
		case c.has("apply", "create") && (tempDir(strings.TrimSpace(c.operand(1))) || strings.Contains(text, " -f")):
			s.tell(&containerRun, 0.2, "apply", "something was set up in a cluster by hand")
		case c.has("get", "describe", "cluster-info", "auth"):
			s.tell(&containersListed, 0.1, "cluster", "what there is in a cluster was listed")
		}
	case "lxc", "lxd":
		if strings.Contains(text, "security.privileged=true") || strings.Contains(text, "source=/ ") {
			s.tell(&openContainer, 0.6, "", "a container was started that has its host's files or rights")
		}
	case "ctr":
		if strings.Contains(text, "--privileged") || strings.Contains(text, "src=/,") {
			s.tell(&openContainer, 0.6, "", "a container was started that has its host's files or rights")
		}
	}
}

// operand is an operand, or "".
func (c *Command) operand(i int) string {
	if o := c.operands(); i < len(o) {
		return o[i]
	}
	return ""
}

// onNamespace: somebody enters the host from a container, or gets rights in namespaces of their own.
func onNamespace(s *step, c *Command) {
	if managed(s.process) {
		return
	}
	text := " " + strings.Join(c.Args, " ") + " "
	switch c.Name {
	case "nsenter":
		if strings.Contains(text, " -t 1 ") || strings.Contains(text, "--target 1 ") || strings.Contains(text, "--target=1 ") || strings.Contains(text, "-t1 ") || strings.Contains(text, "/proc/1/ns") || strings.Contains(text, "/host/proc/1/") {
			s.tell(&hostEntered, 0.7, "", "the namespaces of the host's first process were entered")
		}
	case "unshare":
		if (c.flag('U') || c.has("--user")) && (c.flag('r') || c.has("--map-root-user")) && (c.flag('m') || c.flag('C') || c.flag('n') || c.has("--mount", "--cgroup", "--net")) && s.process.under&underBuild == 0 {
			s.tell(&ownNamespace, 0.4, "", "somebody became root in namespaces of their own")
		}
	case "chroot":
		if d := c.operand(0); d == "/host" || d == "/mnt/host" || d == "/rootfs" || d == "/hostfs" || strings.HasPrefix(d, "/proc/1/root") {
			s.tell(&hostEntered, 0.6, "chroot", "the host's files were entered from a container")
		}
	case "mount":
		if strings.Contains(text, "cgroup") && (strings.Contains(text, "rdma") || strings.Contains(text, "memory") || strings.Contains(text, "/tmp/")) {
			s.tell(&hostEntered, 0.6, "cgroup", "control groups were mounted as escapes from containers do")
		}
	case "debugfs":
		if len(c.operands()) > 0 && classify(c.operand(0)) == blockDevice {
			s.tell(&hostEntered, 0.4, "debugfs", "a disk was opened below its file system")
		}
	case "curl":
		if c.has("--unix-socket") && (strings.Contains(text, "docker.sock") || strings.Contains(text, "containerd.sock") || strings.Contains(text, "podman.sock")) || strings.Contains(text, ":2375/") || strings.Contains(text, ":10250/") || strings.Contains(text, ":10255/") {
			s.tell(&containerControl, 0.6, "", "the engine of containers was spoken to directly")
		}
	}
}
