package detect

import "time"

// Params are the thresholds of the analytics. The zero value is not useful; DefaultParams is.
type Params struct {
	// Enumeration: so many different kinds of questions about the host within the window, in one session or below one service.
	EnumerationKinds  int
	EnumerationWindow time.Duration

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

// DefaultParams are the thresholds of facts/security.md 5 and 7.
func DefaultParams() Params {
	return Params{
		EnumerationKinds: 5, EnumerationWindow: time.Minute,
		KitFiles: 5, Memory: 48 * time.Hour, FetchToRun: 10 * time.Minute,
		SprayThreads: 50, SprayNetworks: 3,
		CleanupFiles: 5, CleanupWindow: 10 * time.Minute,
		ScanAddresses: 256,
		Failures:      10, FailureWindow: 5 * time.Minute, SprayAccounts: 10, FailuresBefore: 5,
		SlowAccounts: 20, SlowFailures: 40, GuessNetworks: 20,
	}
}
