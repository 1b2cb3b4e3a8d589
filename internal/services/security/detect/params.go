package detect

import "time"

// Params are the thresholds of the analytics. The zero value is not useful; DefaultParams is.
type Params struct {
	// Enumeration: so many different kinds of questions about the host within the window, in one session or below one service.
	EnumerationKinds  int
	EnumerationWindow time.Duration
	// So many of the kinds are such that monitoring doesn't ask: devices, release, accounts, connections, packages, jobs.
	EnumerationCurious int

	// Kit: so many files made executable by one command.
	KitFiles int

	// Files that were fetched, made executable or run are remembered for so long.
	Memory time.Duration
	// Fetched and run within this time is one act.
	FetchToRun time.Duration

	// Spray: the least number of threads a sprayer is given; the number of networks after which repeating is certain.
	SprayThreads  int
	SprayNetworks int

	// Cleanup: so many files that ran or were made executable removed within the window.
	CleanupFiles  int
	CleanupWindow time.Duration

	// Fan-out: so many addresses of one network, or networks, within a minute.
	ScanAddresses int

	// Impact: so many services stopped, or files encrypted, by one session within the window.
	StopServices  int
	StopWindow    time.Duration
	LostAccounts  int // accounts locked or removed within StopWindow
	EncryptFiles  int
	EncryptWindow time.Duration

	// Decoding: so many ways in which one session decoded texts within the window.
	DecodeTexts  int
	DecodeWindow time.Duration

	// Lateral movement: so many machines entered from one session within the window.
	EnterMachines int
	EnterWindow   time.Duration

	// One question about the host is told again after this time only.
	QuestionAgain time.Duration

	// Sign-ins: failures of one source within the window; accounts that make it a spray; failures before a success.
	Failures       int
	FailureWindow  time.Duration
	SprayAccounts  int
	FailuresBefore int

	// Slow ones, within a day: accounts that one source tried, failures on one account, networks that one account was tried from.
	SlowAccounts  int
	SlowFailures  int
	GuessNetworks int
}

// DefaultParams are the thresholds of detection where none are set.
func DefaultParams() Params {
	return Params{
		EnumerationKinds: 5, EnumerationWindow: time.Minute, EnumerationCurious: 2,
		KitFiles: 5, Memory: 48 * time.Hour, FetchToRun: 10 * time.Minute,
		SprayThreads: 50, SprayNetworks: 3,
		CleanupFiles: 5, CleanupWindow: 10 * time.Minute,
		ScanAddresses: 256,
		StopServices:  3, StopWindow: 5 * time.Minute,
		LostAccounts: 3, EncryptFiles: 10, EncryptWindow: 5 * time.Minute,
		DecodeTexts: 4, DecodeWindow: time.Minute,
		EnterMachines: 10, EnterWindow: 5 * time.Minute,
		QuestionAgain: time.Hour,
		Failures:      10, FailureWindow: 5 * time.Minute, SprayAccounts: 10, FailuresBefore: 5,
		SlowAccounts: 20, SlowFailures: 40, GuessNetworks: 20,
	}
}
