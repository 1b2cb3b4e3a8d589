package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bulkheadhq/bulkhead/agent/enrol"
	"github.com/bulkheadhq/bulkhead/agent/host"
	"github.com/bulkheadhq/bulkhead/agent/queue"
	"github.com/bulkheadhq/bulkhead/agent/watch"
	"github.com/bulkheadhq/bulkhead/internal/app/notify"
)

const (
	agentState  = "/var/lib/bulkhead-agent"
	agentMemory = 128 << 20 // what the collector of garbage aims at
)

func addStateFlag(f *pflag.FlagSet) *string {
	return f.String("state", agentState, "folder of the agent: its enrolment, its key and its queue")
}

func newAgent() *cobra.Command {
	var src sourceFlags
	var most int64
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Watch this Linux machine and report what happens on it to the platform",
		Long: `Watch this Linux machine and report what happens on it to the platform. Enrol it first: bulkhead agent enrol.

Without a flag that names a source, it reads what there is of /var/log/audit/audit.log and the log of sign-ins. Secrets are taken out of
command lines before anything is stored or sent. While the platform can't be reached, events wait in the agent's folder, within bounds.`,
		Args: cobra.NoArgs,
	}
	state := addStateFlag(cmd.Flags())
	cmd.Flags().Int64Var(&most, "queue-mb", 64, "how much may wait for the platform, in megabytes; then what matters least is dropped, and told")
	src.add(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if most < 1 || most > 1<<20 {
			return fmt.Errorf("--queue-mb %d: want 1 to %d", most, 1<<20)
		}
		return action(func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			sources, err := src.sources(*state, log)
			if err != nil {
				return err
			}
			yield(log)
			manager := notify.FromEnvironment()
			err = watch.Run(cmd.Context(), watch.Options{
				Dir: *state, Sources: sources, Version: version(), Log: log, Queue: queue.Options{Limit: most << 20},
				Ready: func() {
					log.Info("watching", "state", *state)
					if err := manager.Ready("watching"); err != nil {
						log.Warn("the service manager was not told", "error", err)
					}
				},
			})
			if errors.Is(err, enrol.ErrRefused) {
				return fmt.Errorf("%w\nWhat waits in %s is kept. Enrol the machine again: bulkhead agent enrol", err, *state)
			}
			return err
		})(cmd, nil)
	}
	cmd.AddCommand(newAgentEnrol(), newAgentUnit(), newAgentRestore())
	return cmd
}

// yield keeps the agent out of the way of what the machine is there for.
func yield(log *slog.Logger) {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT doesn't say otherwise
		debug.SetMemoryLimit(agentMemory)
	}
	runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), 2))
	if err := host.Yield(); err != nil {
		log.Warn("the agent runs with the priority of others", "error", err)
	}
}

func newAgentUnit() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unit",
		Short:   "Print a systemd unit that runs the agent",
		Example: "  bulkhead agent unit >/etc/systemd/system/bulkhead-agent.service && systemctl enable --now bulkhead-agent",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		exe, err := os.Executable()
		if err != nil {
			return &actionError{err}
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), agentUnit, exe, agentState, exe, agentState)
		return err
	}
	return cmd
}

// agentUnit keeps the agent to what it needs: reading logs and /proc of all, and the kernel's audit system. Its priority and memory are bounded by systemd besides.
const agentUnit = `# systemd unit of the agent. Enrol the machine first, as root: bulkhead agent enrol
[Unit]
Description=Bulkhead agent, watches this machine
After=network-online.target auditd.service
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart=%s agent --state %s
# What an agent that was killed left in the kernel's audit system; after a proper end there is nothing to do.
ExecStopPost=%s agent restore --state %s
StateDirectory=bulkhead-agent
StateDirectoryMode=0700
UMask=0077
Restart=on-failure
RestartSec=30
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
CPUWeight=20
MemoryHigh=192M
MemoryMax=384M
TasksMax=64
LimitNOFILE=1024

NoNewPrivileges=yes
CapabilityBoundingSet=CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_DAC_READ_SEARCH CAP_SYS_PTRACE CAP_SYS_NICE
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`
